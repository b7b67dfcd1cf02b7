import { TokenBucket } from '../../../src/limiter/algorithms/token-bucket.js';
import { Row, seededNumbers } from '../../fixtures/cells.js';
import { RUNS, STEPS_PER_RUN } from '../../fixtures/model-steps.js';

describe('TokenBucket', () => {
  it(`is its model over ${RUNS * STEPS_PER_RUN} random steps`, () => {
    const below = seededNumbers(2);
    for (let run = 0; run < RUNS; run++) {
      const limit = 1 + below(run % 2 === 0 ? 7 : 300);
      const burst = 1 + below(limit * 2);
      const windowMs = [500, 1_000, 7_001, 60_000][below(4)]!;
      const row = new Row(new TokenBucket(limit, windowMs, burst));
      // Whole numbers throughout: a token is `windowMs` parts, and each millisecond brings `limit` of them.
      const full = burst * windowMs;
      let parts = full;
      let nowMs = below(1_000_000);
      for (let step = 0; step < STEPS_PER_RUN; step++) {
        const elapsedMs = below(4) === 0 ? below(windowMs * 2) : below(Math.ceil(windowMs / limit) * 2 + 1);
        nowMs += elapsedMs;
        parts = Math.min(full, parts + elapsedMs * limit);
        const cost = 1 + below(below(4) === 0 ? burst + 2 : 2);
        const available = Math.floor(parts / windowMs);
        if (row.available(nowMs) !== available) throw new Error(`available, run ${run}, step ${step}`);
        const granted = parts >= cost * windowMs;
        const waitMs = cost > burst ? Infinity : Math.max(0, (cost * windowMs - parts) / limit);
        const waited = row.waitMs(nowMs, cost);
        if (waited !== waitMs && !(Math.abs(waited - waitMs) < 1e-4))
          throw new Error(`waitMs, run ${run}, step ${step}`);
        if (row.take(nowMs, cost) !== granted) throw new Error(`grant, run ${run}, step ${step}`);
        if (granted) {
          parts -= cost * windowMs;
        } else if (waitMs !== Infinity) {
          const before = Math.ceil(waitMs) - 1;
          if (!row.wouldGrant(nowMs + waited, cost))
            throw new Error(`wait too short, run ${run}, step ${step}`);
          if (row.wouldGrant(nowMs + before, cost))
            throw new Error(`wait too long, run ${run}, step ${step}`);
        }
        const missing = windowMs - (parts % windowMs);
        const resetMs = parts === full ? 0 : missing / limit;
        if (Math.abs(row.resetMs(nowMs) - resetMs) > 1e-4)
          throw new Error(`resetMs, run ${run}, step ${step}`);
      }
      expect(row.keptToItself).toBe(true);
    }
  });

  it('admits the burst at once, then one for each token', () => {
    const row = new Row(new TokenBucket(10, 1_000, 3));
    expect([0, 0, 0, 0, 99, 100, 100].map(nowMs => row.take(nowMs, 1))).toEqual([
      true,
      true,
      true,
      false,
      false,
      true,
      false,
    ]);
  });
});
