/* Refunds and debts, compared with models that keep every charge. */
import { Concurrency } from '../../../src/limiter/algorithms/concurrency.js';
import { FixedWindow } from '../../../src/limiter/algorithms/fixed-window.js';
import { SlidingWindow } from '../../../src/limiter/algorithms/sliding-window.js';
import { TokenBucket } from '../../../src/limiter/algorithms/token-bucket.js';
import { Row, seededNumbers } from '../../fixtures/cells.js';
import { RUNS, STEPS_PER_RUN } from '../../fixtures/model-steps.js';

interface Charge {
  readonly atMs: number;
  units: number;
}

const sum = (charges: readonly Charge[]): number => charges.reduce((total, { units }) => total + units, 0);

const WINDOWS_MS = [10, 1_000, 60_000, 3_600_000];

describe('FixedWindow, settled', () => {
  it('is its model, debts and refunds included', () => {
    const below = seededNumbers(11);
    for (let run = 0; run < RUNS; run++) {
      const limit = 1 + below(run % 2 === 0 ? 5 : 500);
      const windowMs = WINDOWS_MS[below(4)]!;
      const row = new Row(new FixedWindow(limit, windowMs));
      let window = { opensMs: 0, hits: 0 };
      const charges: Charge[] = [];
      let nowMs = below(1_000_000);
      for (let step = 0; step < STEPS_PER_RUN; step++) {
        nowMs += below(4) === 0 ? below(windowMs * 2) : below(Math.ceil(windowMs / limit) + 1);
        if (window.hits > 0 && nowMs >= window.opensMs + windowMs) window = { opensMs: 0, hits: 0 };
        const charge = charges[below(charges.length + 1)];
        if (charge !== undefined && below(2) === 0) {
          const units = 1 + below(charge.units);
          row.refund(nowMs, units, charge.atMs);
          const isOpen = window.hits > 0 && charge.atMs >= window.opensMs;
          if (isOpen) window.hits = Math.max(0, window.hits - units);
          charge.units -= units;
          if (charge.units === 0) charges.splice(charges.indexOf(charge), 1);
        } else {
          const units = 1 + below(3);
          const forced = below(8) === 0;
          if (forced) row.force(nowMs, units);
          const granted = forced || row.take(nowMs, units);
          if (granted) {
            if (window.hits === 0) window.opensMs = nowMs;
            window.hits += units;
            charges.push({ atMs: nowMs, units });
            if (charges.length > 20) charges.shift();
          }
        }
        if (row.available(nowMs) !== limit - window.hits) throw new Error(`run ${run}, step ${step}`);
      }
      expect(row.keptToItself).toBe(true);
    }
  });
});

describe('TokenBucket, settled', () => {
  it('gives back no more than it would hold without the charge, and no less than with it', () => {
    const below = seededNumbers(12);
    for (let run = 0; run < RUNS; run++) {
      const limit = 1 + below(100);
      const burst = 1 + below(limit * 2);
      const windowMs = 1_000 * (1 + below(60));
      const kept = new Row(new TokenBucket(limit, windowMs, burst));
      const without = new Row(new TokenBucket(limit, windowMs, burst));
      const settled = new Row(new TokenBucket(limit, windowMs, burst));
      let nowMs = below(1_000_000);
      const spend = (units: number): void => {
        for (const row of [kept, without, settled]) row.force(nowMs, units);
      };
      spend(below(burst));
      const chargedMs = nowMs;
      const units = 1 + below(burst);
      kept.force(nowMs, units);
      settled.force(nowMs, units);
      for (let step = 0; step < 10; step++) {
        nowMs += below(Math.ceil((windowMs / limit) * 3));
        if (below(2) === 0) spend(below(3));
      }
      settled.refund(nowMs, units, chargedMs);
      const offers = [kept, settled, without].map(row => row.available(nowMs));
      expect(offers).toEqual(offers.toSorted((one, other) => one - other));
    }
  });

  it('gives all of it back at once', () => {
    const row = new Row(new TokenBucket(10, 1_000, 10));
    row.take(0, 7);
    row.refund(0, 5, 0);
    expect(row.available(0)).toBe(8);
  });

  it('pays a debt off in time', () => {
    const row = new Row(new TokenBucket(10, 1_000, 10));
    row.force(0, 15);
    expect([row.available(0), row.waitMs(0, 1)]).toEqual([-5, 600]);
    expect([row.available(500), row.available(1_500)]).toEqual([0, 10]);
  });
});

describe('SlidingWindow, settled', () => {
  it('never admits more than the limit and a batch, and offers what was given back at once', () => {
    const below = seededNumbers(13);
    for (let run = 0; run < RUNS; run++) {
      const limit = [1, 5, 14, 15, 100, 1_000][below(6)]!;
      const windowMs = WINDOWS_MS[below(4)]!;
      const batch = Math.ceil(limit / 14);
      // Windows of several milliseconds a tick end up to two ticks early, by rounding.
      const tickMs = Math.ceil(windowMs / 32_767);
      const row = new Row(new SlidingWindow(limit, windowMs));
      let log: Charge[] = [];
      let nowMs = below(1_000_000);
      for (let step = 0; step < STEPS_PER_RUN; step++) {
        nowMs += below(10) === 0 ? below(windowMs) : below(Math.ceil(windowMs / limit) + 1);
        log = log.filter(({ atMs, units }) => units > 0 && nowMs - atMs < windowMs);
        const charge = log[below(log.length + 1)];
        const available = row.available(nowMs);
        if (charge !== undefined && below(3) === 0) {
          const units = 1 + below(charge.units);
          row.refund(nowMs, units, charge.atMs);
          const returned = row.available(nowMs) - available;
          // A log of single hits and milliseconds is exact; hits of a batch leave together, so some may have left before.
          const isExact = batch === 1 && tickMs === 1;
          if (returned > units || (isExact && returned < units))
            throw new Error(`${returned} of ${units} came back, run ${run}, step ${step}`);
          charge.units -= units;
        } else if (row.take(nowMs, 1 + below(3))) {
          log.push({ atMs: nowMs, units: available - row.available(nowMs) });
        }
        const inWindow = sum(log.filter(({ atMs }) => nowMs - atMs < windowMs - 2 * tickMs));
        if (inWindow > limit + batch - 1)
          throw new Error(`${inWindow} of ${limit} admitted, run ${run}, step ${step}`);
      }
      expect(row.keptToItself).toBe(true);
      expect(row.available(nowMs + windowMs * 2)).toBe(limit);
    }
  });

  it('takes back the charge that is meant, not the newest ones', () => {
    const row = new Row(new SlidingWindow(10, 1_000));
    row.take(0, 4);
    row.take(900, 4);
    row.refund(950, 4, 0);
    expect([row.available(950), row.available(1_000), row.available(1_900)]).toEqual([6, 6, 10]);
  });

  it('gives nothing back of a charge that has left the window', () => {
    const row = new Row(new SlidingWindow(10, 1_000));
    row.take(0, 4);
    row.take(900, 4);
    row.refund(1_000, 4, 0);
    expect(row.available(1_000)).toBe(6);
  });

  it('keeps a debt for a whole window, and loses none of it', () => {
    const row = new Row(new SlidingWindow(28, 1_000));
    row.take(0, 28);
    row.force(500, 12);
    expect(row.available(500)).toBe(-12);
    // 26 hits of the first 13 batches leave; the last batch holds 2 and the debt.
    expect(row.available(1_000)).toBe(14);
    expect(row.take(1_000, 14)).toBe(true);
    expect(row.available(1_000)).toBe(0);
    expect([row.available(1_499), row.available(1_500), row.available(2_000)]).toEqual([0, 14, 28]);
  });

  it('pays a debt back by refunds', () => {
    const row = new Row(new SlidingWindow(10, 1_000));
    row.take(0, 10);
    row.force(100, 90);
    row.refund(200, 95, 100);
    expect(row.available(200)).toBe(5);
    expect(row.available(1_100)).toBe(10);
  });
});

describe('Concurrency', () => {
  it('equals its model: released leases, ended leases, debts', () => {
    const below = seededNumbers(14);
    for (let run = 0; run < RUNS; run++) {
      const limit = 1 + below(run % 2 === 0 ? 4 : 300);
      const leaseMs = 12 * (1 + below(10_000));
      const periodMs = leaseMs / 12;
      const row = new Row(new Concurrency(limit, leaseMs));
      let held: Charge[] = [];
      let nowMs = below(1_000_000);
      for (let step = 0; step < STEPS_PER_RUN; step++) {
        nowMs += below(20) === 0 ? below(leaseMs * 2) : below(Math.ceil(leaseMs / limit / 2) + 1);
        held = held.filter(({ atMs }) => Math.floor(nowMs / periodMs) - Math.floor(atMs / periodMs) < 13);
        const lease = held[below(held.length + 1)];
        if (lease !== undefined && below(2) === 0) {
          row.refund(nowMs, lease.units, lease.atMs);
          held.splice(held.indexOf(lease), 1);
        } else {
          const units = below(8) === 0 ? 2 : 1;
          const granted = sum(held) + units <= limit;
          if (row.take(nowMs, units) !== granted) throw new Error(`run ${run}, step ${step}`);
          if (granted) held.push({ atMs: nowMs, units });
          else if (units <= limit) {
            const waitMs = row.waitMs(nowMs, units);
            if (!row.wouldGrant(nowMs + waitMs + 1e-6, units))
              throw new Error(`wait too short, run ${run}, step ${step}`);
            if (waitMs > 1 && row.wouldGrant(nowMs + waitMs - 1, units))
              throw new Error(`wait too long, run ${run}, step ${step}`);
          }
        }
        if (row.available(nowMs) !== limit - sum(held)) throw new Error(`held, run ${run}, step ${step}`);
        if ((row.resetMs(nowMs) === 0) !== (held.length === 0)) throw new Error(`reset, run ${run}`);
      }
      expect(row.keptToItself).toBe(true);
    }
  });

  it('keeps a lease for its time and at most a twelfth longer', () => {
    const row = new Row(new Concurrency(1, 12_000));
    row.take(500, 1);
    expect([row.available(12_499), row.available(12_999), row.available(13_000)]).toEqual([0, 0, 1]);
  });

  it('never grants more than the limit', () => {
    expect(new Row(new Concurrency(2, 1_000)).waitMs(0, 3)).toBe(Infinity);
  });
});
