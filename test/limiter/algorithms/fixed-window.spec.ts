import { FixedWindow } from '../../../src/limiter/algorithms/fixed-window.js';
import { Row, seededNumbers } from '../../fixtures/cells.js';
import { RUNS, STEPS_PER_RUN } from '../../fixtures/model-steps.js';

describe('FixedWindow', () => {
  it(`is its model over ${RUNS * STEPS_PER_RUN} random steps`, () => {
    const below = seededNumbers(1);
    for (let run = 0; run < RUNS; run++) {
      const limit = 1 + below(run % 2 === 0 ? 5 : 500);
      const windowMs = [1, 7, 1_000, 60_000, 86_400_000][below(5)]!;
      const row = new Row(new FixedWindow(limit, windowMs));
      let model = { hits: 0, closesMs: -1 };
      let nowMs = below(1_000_000);
      for (let step = 0; step < STEPS_PER_RUN; step++) {
        nowMs += below(3) === 0 ? below(windowMs * 2) : below(Math.ceil(windowMs / limit) + 1);
        const cost = 1 + below(below(4) === 0 ? limit + 2 : 3);
        if (model.hits > 0 && nowMs >= model.closesMs) model = { hits: 0, closesMs: -1 };
        if (row.available(nowMs) !== limit - model.hits)
          throw new Error(`available, run ${run}, step ${step}`);
        const granted = model.hits + cost <= limit;
        const waitMs = cost > limit ? Infinity : granted ? 0 : model.closesMs - nowMs;
        if (row.waitMs(nowMs, cost) !== waitMs) throw new Error(`waitMs, run ${run}, step ${step}`);
        if (row.take(nowMs, cost) !== granted) throw new Error(`grant, run ${run}, step ${step}`);
        if (granted) {
          model = { hits: model.hits + cost, closesMs: model.hits === 0 ? nowMs + windowMs : model.closesMs };
        } else if (waitMs !== Infinity) {
          if (!row.wouldGrant(nowMs + waitMs, cost))
            throw new Error(`wait too short, run ${run}, step ${step}`);
          if (row.wouldGrant(nowMs + waitMs - 1, cost))
            throw new Error(`wait too long, run ${run}, step ${step}`);
        }
        if (row.resetMs(nowMs) !== (model.hits === 0 ? 0 : model.closesMs - nowMs)) {
          throw new Error(`resetMs, run ${run}, step ${step}`);
        }
      }
      expect(row.keptToItself).toBe(true);
    }
  });

  it('opens its window with the first request, not with the clock', () => {
    const row = new Row(new FixedWindow(1, 1_000));
    expect([row.take(1_900, 1), row.take(2_899, 1), row.take(2_900, 1)]).toEqual([true, false, true]);
  });
});
