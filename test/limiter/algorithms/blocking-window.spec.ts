import { BlockingWindow } from '../../../src/limiter/algorithms/blocking-window.js';
import { Row } from '../../fixtures/cells.js';

describe('BlockingWindow', () => {
  it('blocks a client that exceeds the limit, then starts anew', () => {
    const row = new Row(new BlockingWindow(2, 10_000, 5_000));
    expect([row.take(0, 1), row.take(0, 1), row.take(1_000, 1)]).toEqual([true, true, false]);
    row.deny(1_000);
    expect([row.waitMs(1_000, 1), row.resetMs(1_000)]).toEqual([5_000, 5_000]);
    expect(row.available(5_999)).toBe(0);
    // The window of the two hits has not passed: the block ends with an empty one all the same.
    expect(row.available(6_000)).toBe(2);
    expect(row.keptToItself).toBe(true);
  });

  it('is not prolonged by requests during the block', () => {
    const row = new Row(new BlockingWindow(1, 1_000, 5_000));
    row.take(0, 1);
    row.deny(0);
    row.deny(4_000);
    expect(row.available(5_000)).toBe(1);
  });

  it('outlasts its window', () => {
    const row = new Row(new BlockingWindow(1, 1_000, 60_000));
    row.take(0, 1);
    row.deny(500);
    expect([row.available(1_000), row.available(60_499), row.available(60_500)]).toEqual([0, 0, 1]);
  });

  it('is a sliding window for a client within the limit', () => {
    const row = new Row(new BlockingWindow(2, 1_000, 5_000));
    expect([row.take(0, 1), row.take(600, 1), row.take(1_000, 1), row.take(1_600, 1)]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(row.resetMs(1_600)).toBe(400);
  });
});
