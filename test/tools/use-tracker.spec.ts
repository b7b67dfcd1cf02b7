import { UseTracker } from '../../src/tools/tool-events.js';

const MINUTE = 60_000;
const tracker = (maxPairs = 1_000): UseTracker => new UseTracker(maxPairs);

describe('denials', () => {
  it('are reported at the fifth, and each time that their number doubles', () => {
    const uses = tracker();
    const reported = Array.from({ length: 50 }, () => uses.recordDenial('a', 0)).filter(
      count => count !== undefined,
    );
    expect(reported).toEqual([5, 10, 20, 40]);
  });

  it('begin anew after a minute, and belong to one caller', () => {
    const uses = tracker();
    for (let time = 0; time < 4; time++) uses.recordDenial('a', 0);
    expect(uses.recordDenial('b', 0)).toBeUndefined();
    expect(uses.recordDenial('a', MINUTE)).toBeUndefined();
    for (let time = 0; time < 3; time++) uses.recordDenial('a', MINUTE);
    expect(uses.recordDenial('a', MINUTE + 1)).toBe(5);
  });

  it('are not forgotten because of an allowed call', () => {
    const uses = tracker();
    for (let time = 0; time < 4; time++) uses.recordDenial('a', 0);
    uses.recordUse('a', 't', 1);
    expect(uses.recordDenial('a', 2)).toBe(5);
  });
});

describe('bounds', () => {
  it('holds so many pairs, and forgets the callers seen longest ago', () => {
    const uses = tracker(64);
    for (let caller = 0; caller < 1_000; caller++) {
      uses.recordUse(`c${caller}`, 't', 0);
      uses.recordUse('regular', 't', 0);
      uses.recordDenial(`d${caller}`, 0);
      expect(uses.size).toBeLessThanOrEqual(64);
    }
    expect(uses.recordUse('regular', 't', 0)).toBeUndefined();
    expect(uses.recordUse('c0', 't', 0)).toBe(1);
  });

  it('lets a caller that invents names forget its own history only', () => {
    const uses = tracker();
    uses.recordUse('regular', 't', 0);
    for (let tool = 0; tool < 10_000; tool++) uses.recordUse('hostile', `t${tool}`, 0);
    expect(uses.size).toBe(65);
    expect(uses.recordUse('regular', 't', 0)).toBeUndefined();
    expect(uses.recordUse('hostile', 't9999', 0)).toBeUndefined();
    expect(uses.recordUse('hostile', 't0', 0)).toBe(64);
  });
});
