/* A concurrency limit: each request in flight holds a lease, so that the leases of a process that died end by themselves. Leases are
 * counted by the period in which they began, a twelfth of the lease time each. So a lease that is never released ends up to a twelfth late, and
 * every decision costs the same whatever the limit is. */
import { type Algorithm, type Cells, MAX_COUNT } from './algorithm.js';

/** Periods of one lease time; a lease counts up to and including the period in which it ends. */
const PERIODS = 12;
const COUNTS = PERIODS + 1;

/* Cells: [0] the period of the last look, [1..13] leases by the period in which they began. */
const BEGUN = 1;

export class Concurrency implements Algorithm {
  readonly cells = BEGUN + COUNTS;
  readonly aligned = false;
  readonly #periodMs: number;

  constructor(
    readonly limit: number,
    leaseMs: number,
  ) {
    this.#periodMs = leaseMs / PERIODS;
  }

  available({ u32 }: Cells, at: number, nowMs: number): number {
    const period = this.#periodOf(nowMs);
    const passed = (period - u32[at]!) >>> 0;
    if (passed > 0) {
      for (let step = 1; step <= Math.min(passed, COUNTS); step++)
        u32[this.#cellOf(at, period - step + 1)] = 0;
      u32[at] = period;
    }
    return this.limit - this.#held(u32, at);
  }

  charge({ u32 }: Cells, at: number, nowMs: number, cost: number): void {
    const cell = this.#cellOf(at, this.#periodOf(nowMs));
    u32[cell] = Math.min(u32[cell]! + cost, MAX_COUNT);
  }

  refund(cells: Cells, at: number, nowMs: number, cost: number, chargedMs: number): void {
    this.available(cells, at, nowMs);
    const began = this.#periodOf(chargedMs);
    if (this.#periodOf(nowMs) - began >= COUNTS) return;
    const cell = this.#cellOf(at, began);
    cells.u32[cell] = Math.max(0, cells.u32[cell]! - cost);
  }

  /** At the latest: most leases are released long before. */
  waitMs({ u32 }: Cells, at: number, nowMs: number, cost: number): number {
    if (cost > this.limit) return Infinity;
    let missing = this.#held(u32, at) + cost - this.limit;
    const period = this.#periodOf(nowMs);
    for (let began = period - PERIODS; began <= period && missing > 0; began++) {
      missing -= u32[this.#cellOf(at, began)]!;
      if (missing <= 0) return (began + COUNTS) * this.#periodMs - nowMs;
    }
    return 0;
  }

  resetMs({ u32 }: Cells, at: number, nowMs: number): number {
    const period = this.#periodOf(nowMs);
    for (let began = period - PERIODS; began <= period; began++) {
      if (u32[this.#cellOf(at, began)]! > 0) return (began + COUNTS) * this.#periodMs - nowMs;
    }
    return 0;
  }

  #periodOf(ms: number): number {
    return Math.floor(ms / this.#periodMs);
  }

  #cellOf(at: number, period: number): number {
    return at + BEGUN + (((period % COUNTS) + COUNTS) % COUNTS);
  }

  #held(u32: Uint32Array, at: number): number {
    let held = 0;
    for (let cell = at + BEGUN; cell < at + this.cells; cell++) held += u32[cell]!;
    return held;
  }
}
