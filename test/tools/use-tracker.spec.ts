import { UseTracker } from '../../src/tools/use-tracker.js';

const MINUTE = 60_000;
const tracker = (maxTracked = 1_000): UseTracker =>
  new UseTracker({ burstFactor: 10, burstMinimum: 30, denialRun: 5, maxTracked });

describe('a burst', () => {
  /** Calls so often in each minute; says in which minutes a burst was told, and at which call. */
  const told = (minutes: readonly number[]): [minute: number, call: number][] => {
    const uses = tracker();
    return minutes.flatMap((calls, minute) =>
      Array.from({ length: calls }, (_, call) => ({
        call,
        burst: uses.use('a', 't', minute * MINUTE + call).burst,
      }))
        .filter(({ burst }) => burst !== undefined)
        .map(({ call }): [number, number] => [minute, call + 1]),
    );
  };
  const steady = (calls: number, minutes: number): number[] => Array.from({ length: minutes }, () => calls);

  it.each([
    ['a steady rate', steady(60, 100), []],
    ['a steady rate, then ten times as much', [...steady(5, 20), 60], [[20, 50]]],
    ['nine times as much', [...steady(5, 20), 45], []],
    ['less than the minimum', [...steady(1, 20), 29], []],
    ['the minimum', [...steady(1, 20), 30], [[20, 30]]],
    ['before it has a usual rate', [1, 1, 1, 1, 1, 1, 1, 1, 1, 100], []],
    ['at the end of the warm-up', [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100], [[10, 30]]],
    ['once in ten minutes', [...steady(1, 20), 100, 0, 0, 0, 0, 0, 0, 0, 0, 1_000], [[20, 30]]],
    [
      'again after a long rest',
      [...steady(5, 20), 60, ...steady(0, 600), 60],
      [
        [20, 50],
        [621, 30],
      ],
    ],
  ])('%s', (_title, minutes, expected) => expect(told(minutes)).toEqual(expected));

  it('is measured by the mean of the past minutes, weighted by their age', () => {
    const uses = tracker();
    const counts = [12, 0, 7, 3, 3, 3, 0, 0, 1, 9, 4];
    for (const [minute, calls] of counts.entries())
      for (let call = 0; call < calls; call++) uses.use('a', 't', minute * MINUTE);
    let last: { usual: number } | undefined;
    for (let call = 0; call < 1_000 && last === undefined; call++)
      last = uses.use('a', 't', counts.length * MINUTE).burst;
    const weights = counts.map((_, index) => (59 / 60) ** (counts.length - 1 - index));
    const mean =
      counts.reduce((sum, calls, index) => sum + calls * weights[index]!, 0) /
      weights.reduce((sum, each) => sum + each, 0);
    expect(last!.usual).toBeCloseTo(mean, 9);
  });
});

describe('denials', () => {
  it('are told at the run, and each time that it doubles', () => {
    const uses = tracker();
    const told = Array.from({ length: 50 }, () => uses.deny('a', 0)).filter(count => count !== undefined);
    expect(told).toEqual([5, 10, 20, 40]);
  });

  it('begin anew after a minute, and belong to one caller', () => {
    const uses = tracker();
    for (let time = 0; time < 4; time++) uses.deny('a', 0);
    expect(uses.deny('b', 0)).toBeUndefined();
    expect(uses.deny('a', MINUTE)).toBeUndefined();
    for (let time = 0; time < 3; time++) uses.deny('a', MINUTE);
    expect(uses.deny('a', MINUTE + 1)).toBe(5);
  });

  it('are not forgotten because of an allowed call', () => {
    const uses = tracker();
    for (let time = 0; time < 4; time++) uses.deny('a', 0);
    uses.use('a', 't', 1);
    expect(uses.deny('a', 2)).toBe(5);
  });
});

describe('bounds', () => {
  it('holds so many pairs, and forgets who was seen longest ago', () => {
    const uses = tracker(64);
    for (let caller = 0; caller < 1_000; caller++) {
      uses.use(`c${caller}`, 't', 0);
      uses.use('regular', 't', 0);
      uses.deny(`d${caller}`, 0);
      expect(uses.size).toBeLessThanOrEqual(64);
    }
    expect(uses.use('regular', 't', 0).isFirst).toBe(false);
    expect(uses.use('c0', 't', 0).isFirst).toBe(true);
  });

  it('lets one that makes up names forget its own history only', () => {
    const uses = tracker();
    uses.use('regular', 't', 0);
    for (let tool = 0; tool < 10_000; tool++) uses.use('hostile', `t${tool}`, 0);
    expect(uses.size).toBe(65);
    expect(uses.use('regular', 't', 0).isFirst).toBe(false);
    expect(uses.use('hostile', 't9999', 0)).toMatchObject({ isFirst: false, tools: 64 });
    expect(uses.use('hostile', 't0', 0).isFirst).toBe(true);
  });
});
