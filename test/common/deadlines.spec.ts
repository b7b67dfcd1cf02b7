import { MessageChannel } from 'node:worker_threads';
import { Deadlines } from '../../src/common/deadlines.js';

describe('Deadlines', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'clearImmediate'] }));
  afterEach(() => jest.useRealTimers());

  /** And reads all sockets. */
  const advance = async (ms: number): Promise<void> => {
    jest.advanceTimersByTime(ms);
    await new Promise(resolve => setImmediate(resolve));
  };
  const create = (): [Deadlines<string>, string[]] => {
    const late: string[] = [];
    return [new Deadlines<string>(100, thing => late.push(thing)), late];
  };

  it('reports each entry when it expires, with one timer', async () => {
    const [deadlines, late] = create();
    deadlines.add('a');
    await advance(40);
    const b = deadlines.add('b');
    deadlines.add('c');
    expect(jest.getTimerCount()).toBe(1);
    await advance(59);
    expect(late).toEqual([]);
    await advance(1);
    expect(late).toEqual(['a']);
    deadlines.delete(b);
    await advance(40);
    expect(late).toEqual(['a', 'c']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps no process alive for deleted entries', async () => {
    const [deadlines, late] = create();
    const [a, b] = [deadlines.add('a'), deadlines.add('b')];
    deadlines.delete(a);
    deadlines.delete(a);
    expect(jest.getTimerCount()).toBe(1);
    deadlines.delete(b);
    expect(jest.getTimerCount()).toBe(0);
    advance(1_000);
    expect(late).toEqual([]);
  });

  it('reports expired entries between deleted ones, in every order', async () => {
    const [deadlines, late] = create();
    const all = Array.from({ length: 100 }, (_, index) => deadlines.add(String(index)));
    for (const deadline of all.toReversed())
      if (Number(deadline.thing) % 10 !== 7) deadlines.delete(deadline);
    await advance(50);
    for (let index = 0; index < 100; index++) deadlines.delete(deadlines.add('in time'));
    deadlines.delete(all[17]!);
    await advance(50);
    expect(late).toEqual(['7', '27', '37', '47', '57', '67', '77', '87', '97']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('drops each value that was deleted or has expired', async () => {
    const [deadlines] = create();
    const [inTime, late] = [deadlines.add('a'), deadlines.add('b')];
    deadlines.delete(inTime);
    await advance(100);
    deadlines.delete(late);
    expect([inTime.thing, late.thing]).toEqual([undefined, undefined]);
  });

  it('leaves what was answered while the process stood still', async () => {
    jest.useRealTimers();
    const late: string[] = [];
    const deadlines = new Deadlines<string>(5, thing => late.push(thing));
    const { port1, port2 } = new MessageChannel();
    const answered = deadlines.add('answered');
    port2.on('message', () => deadlines.delete(answered));
    port1.postMessage('answer');
    deadlines.add('unanswered');
    const untilMs = performance.now() + 20;
    while (performance.now() < untilMs);
    await new Promise<void>(resolve => {
      const look = (): unknown => (late.length > 0 ? resolve() : setImmediate(look));
      look();
    });
    port1.close();
    expect(late).toEqual(['unanswered']);
  });

  it('accepts entries that are added by an expired one', async () => {
    const late: string[] = [];
    const deadlines: Deadlines<string> = new Deadlines(100, thing => {
      late.push(thing);
      if (late.length < 3) deadlines.add(`${thing}+`);
    });
    deadlines.add('a');
    for (let turn = 0; turn < 3; turn++) await advance(100);
    expect(late).toEqual(['a', 'a+', 'a++']);
  });
});
