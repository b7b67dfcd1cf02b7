import { Deadlines } from '../../src/common/deadlines.js';

describe('Deadlines', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  const create = (): [Deadlines<string>, string[]] => {
    const late: string[] = [];
    return [new Deadlines<string>(100, thing => late.push(thing)), late];
  };

  it('tells of each thing when it is late, by one timer', () => {
    const [deadlines, late] = create();
    deadlines.add('a');
    jest.advanceTimersByTime(40);
    deadlines.add('b');
    deadlines.add('c');
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(59);
    expect(late).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(late).toEqual(['a']);
    deadlines.delete('b');
    jest.advanceTimersByTime(40);
    expect(late).toEqual(['a', 'c']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps no process alive for what was in time', () => {
    const [deadlines, late] = create();
    deadlines.add('a');
    deadlines.add('b');
    deadlines.delete('a');
    expect(jest.getTimerCount()).toBe(1);
    deadlines.delete('b');
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(1_000);
    expect(late).toEqual([]);
  });

  it('takes what is added by what is late', () => {
    const late: string[] = [];
    const deadlines: Deadlines<string> = new Deadlines(100, thing => {
      late.push(thing);
      if (late.length < 3) deadlines.add(`${thing}+`);
    });
    deadlines.add('a');
    jest.advanceTimersByTime(300);
    expect(late).toEqual(['a', 'a+', 'a++']);
  });
});
