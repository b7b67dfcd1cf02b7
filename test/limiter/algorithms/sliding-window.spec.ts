import { SlidingWindow } from '../../../src/limiter/algorithms/sliding-window.js';
import { Row, seededNumbers } from '../../fixtures/cells.js';
import { RUNS, STEPS_PER_RUN } from '../../fixtures/model-steps.js';

/** As the source documents: so many moments a window, and ticks of 15 bits. */
const BATCHES = 14;
const tickOf = (windowMs: number): number => Math.ceil(windowMs / 32_767);
const batchOf = (limit: number): number => Math.ceil(limit / BATCHES);

/** An exact log of what was admitted, a moment (whole milliseconds) and its units. */
class ExactLog {
  private readonly hits: { atMs: number; cost: number }[] = [];
  private first = 0;
  private sum = 0;

  add(atMs: number, cost: number): void {
    this.hits.push({ atMs, cost });
    this.sum += cost;
  }

  /** What was admitted in the window that ends now. */
  used(nowMs: number, windowMs: number): number {
    while (this.first < this.hits.length && this.hits[this.first]!.atMs <= nowMs - windowMs) {
      this.sum -= this.hits[this.first]!.cost;
      this.first++;
    }
    return this.sum;
  }
}

type Shape = [title: string, limits: readonly number[], windowsMs: readonly number[], greedy: boolean];
const shapes: Shape[] = [
  ['small limits, short windows', [1, 2, 3, 5, 10, 14], [1, 10, 1_000, 32_767], false],
  ['limits beyond the batches', [15, 16, 29, 100, 1_000], [10, 1_000, 30_000], false],
  ['windows of several milliseconds a tick', [5, 14, 100], [60_000, 100_000, 3_600_000, 86_400_000], false],
  ['all clients at full rate', [10, 14, 15, 100, 1_000], [1_000, 60_000], true],
];

describe('SlidingWindow against an exact log', () => {
  it.each(shapes)(
    `%s: ${Math.ceil((RUNS * STEPS_PER_RUN) / shapes.length)} random steps`,
    (_title, limits, windowsMs, greedy) => {
      const below = seededNumbers(3);
      for (let run = 0; run < RUNS / shapes.length; run++) {
        const limit = limits[run % limits.length]!;
        const windowMs = windowsMs[below(windowsMs.length)]!;
        const tickMs = tickOf(windowMs);
        const batch = batchOf(limit);
        const row = new Row(new SlidingWindow(limit, windowMs));
        const full = new ExactLog();
        const short = new ExactLog();
        let nowMs = below(10_000_000);
        for (let step = 0; step < STEPS_PER_RUN; step++) {
          const where = `run ${run}, step ${step}: limit ${limit} in ${windowMs} ms`;
          nowMs +=
            !greedy && below(10) === 0 ? below(windowMs * 2) : below(Math.ceil((windowMs / limit) * 2) + 1);
          const cost = 1 + below(below(3) === 0 ? Math.min(limit + 1, batch * 3) : 2);
          const exactGrants = full.used(nowMs, windowMs) + cost <= limit;
          const waitMs = row.available(nowMs) >= cost ? 0 : row.waitMs(nowMs, cost);
          const granted = row.take(nowMs, cost);
          if (exactGrants && !granted) throw new Error(`an exact log grants, ${where}`);
          if (granted !== (waitMs === 0))
            throw new Error(`waitMs ${waitMs} and granted ${granted}, ${where}`);
          if (granted) {
            full.add(nowMs, cost);
            short.add(nowMs, cost);
            const admitted = short.used(nowMs, windowMs - 2 * tickMs);
            if (admitted > limit + batch - 1) throw new Error(`${admitted} admitted, ${where}`);
          } else if (cost > limit) {
            if (waitMs !== Infinity) throw new Error(`a cost beyond the limit waits ${waitMs} ms, ${where}`);
          } else {
            if (!row.wouldGrant(nowMs + waitMs, cost))
              throw new Error(`waiting ${waitMs} ms is not enough, ${where}`);
            if (row.wouldGrant(nowMs + waitMs - 1, cost))
              throw new Error(`waiting ${waitMs} ms is too long, ${where}`);
            if (waitMs > windowMs)
              throw new Error(`waiting ${waitMs} ms is longer than the window, ${where}`);
          }
          const resetMs = row.resetMs(nowMs);
          const before = row.available(nowMs);
          if (before < limit && (resetMs <= 0 || !row.wouldGrant(nowMs + resetMs, before + 1))) {
            throw new Error(`nothing returns after ${resetMs} ms, ${where}`);
          }
          if (resetMs > 0 && row.wouldGrant(nowMs + resetMs - 1, before + 1)) {
            throw new Error(`something returns before ${resetMs} ms, ${where}`);
          }
        }
        expect(row.keptToItself).toBe(true);
      }
    },
  );
});

describe('SlidingWindow', () => {
  it.each([1, 2, 7, 14])('is exact up to a limit of 14: %d', limit => {
    const below = seededNumbers(4 + limit);
    const row = new Row(new SlidingWindow(limit, 1_000));
    const log = new ExactLog();
    let nowMs = 0;
    for (let step = 0; step < 20_000; step++) {
      nowMs += below(Math.ceil(2_000 / limit));
      const exact = log.used(nowMs, 1_000) < limit;
      expect(row.take(nowMs, 1)).toBe(exact);
      if (exact) log.add(nowMs, 1);
    }
  });

  it('admits 1.10 times the limit at most, whatever the limit', () => {
    for (let limit = 1; limit <= 20_000; limit++) {
      if (limit + batchOf(limit) - 1 > limit * 1.1) throw new Error(`limit ${limit}`);
    }
    expect((100 + batchOf(100) - 1) / 100).toBeLessThan(1.1);
  });

  it('forgets everything after a pause, also where ages wrap', () => {
    // 2^32 ticks (49 days at a millisecond each) is where the last charge itself would seem young again, for one window.
    for (const pauseMs of [
      1_000,
      32_767,
      65_535,
      65_536,
      65_537,
      131_072,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32 + 1_000,
    ]) {
      const row = new Row(new SlidingWindow(3, 1_000));
      expect(row.take(500, 3)).toBe(true);
      expect(row.available(500 + pauseMs)).toBe(3);
    }
  });

  it('keeps the largest limit', () => {
    const row = new Row(new SlidingWindow(1_000_000_000, 1_000));
    expect(row.take(0, 999_999_999)).toBe(true);
    expect([
      row.available(0),
      row.take(0, 2),
      row.take(0, 1),
      row.available(999),
      row.available(1_000),
    ]).toEqual([1, false, true, 0, 1_000_000_000]);
    expect(row.keptToItself).toBe(true);
  });
});
