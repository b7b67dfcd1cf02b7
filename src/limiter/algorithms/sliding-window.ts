/* The default: a log of the window, kept in batches. A log of single hits is exact and grows with the limit; this one keeps at
 * most 14 moments. Each stands for a batch of `limit / 14` hits (rounded up), which leaves the window with its first hit. So
 * - what an exact log grants is granted;
 * - no window ever admits more than the limit and one batch less one: exact up to a limit of 14, less than 1.08 times beyond;
 * - every decision costs the same whatever the limit is. */
import type { Algorithm, Cells } from './algorithm.js';

const BATCHES = 14;
/** Ages are kept in 16 bits; a window is at most half of that, so that an age that wraps around is not taken for a young one. */
const MAX_TICKS = 32_767;

/* Cells: [0] the tick of the last charge, [1] hits in the newest batch << 4 | number of batches, then 14 ticks of 16 bits. */
const LAST = 0;
const FILL = 1;
const RING = 2;
const COUNT_BITS = 4;
const COUNT_MASK = 15;
/** The capacity of the newest batch, debts included. */
const MAX_NEWEST = 2 ** (32 - COUNT_BITS) - 1;

export class SlidingWindow implements Algorithm {
  readonly cells: number;
  readonly aligned = false;
  readonly #batch: number;
  /** Batches that the limit fills. */
  readonly #slots: number;
  readonly #tickMs: number;
  readonly #ticks: number;

  constructor(
    readonly limit: number,
    windowMs: number,
  ) {
    this.#batch = Math.ceil(limit / BATCHES);
    this.#slots = Math.ceil(limit / this.#batch);
    this.cells = RING + Math.ceil(this.#slots / 2);
    this.#tickMs = Math.ceil(windowMs / MAX_TICKS);
    this.#ticks = Math.max(1, Math.floor(windowMs / this.#tickMs));
  }

  available({ u32, u16 }: Cells, at: number, nowMs: number): number {
    const fill = u32[at + FILL]!;
    let batches = fill & COUNT_MASK;
    if (batches === 0) return this.limit;
    const tick = Math.floor(nowMs / this.#tickMs);
    if ((tick - u32[at + LAST]!) >>> 0 >= this.#ticks) {
      u32[at + FILL] = 0;
      return this.limit;
    }
    const ring = (at + RING) * 2;
    let expired = 0;
    while (expired < batches && ((tick - u16[ring + expired]!) & 0xffff) >= this.#ticks) expired++;
    if (expired > 0) {
      batches -= expired;
      for (let batch = ring; batch < ring + batches; batch++) u16[batch] = u16[batch + expired]!;
      u32[at + FILL] = batches === 0 ? 0 : (fill & ~COUNT_MASK) | batches;
      if (batches === 0) return this.limit;
    }
    return this.limit - (batches - 1) * this.#batch - (fill >>> COUNT_BITS);
  }

  charge({ u32, u16 }: Cells, at: number, nowMs: number, cost: number): void {
    const tick = Math.floor(nowMs / this.#tickMs);
    const ring = (at + RING) * 2;
    let batches = u32[at + FILL]! & COUNT_MASK;
    let newest = u32[at + FILL]! >>> COUNT_BITS;
    // A debt is kept in the newest batch until there is room for batches of it.
    for (; newest > this.#batch && batches < this.#slots; batches++, newest -= this.#batch)
      u16[ring + batches] = u16[ring + batches - 1]!;
    for (let left = cost; left > 0;) {
      if (batches === 0 || newest >= this.#batch) {
        if (batches === this.#slots) {
          // No part of a debt leaves before its last part.
          u16[ring + batches - 1] = tick & 0xffff;
          newest = Math.min(newest + left, MAX_NEWEST);
          break;
        }
        u16[ring + batches] = tick & 0xffff;
        batches++;
        newest = 0;
      }
      const taken = Math.min(left, this.#batch - newest);
      newest += taken;
      left -= taken;
    }
    u32[at + LAST] = tick >>> 0;
    u32[at + FILL] = ((newest << COUNT_BITS) | batches) >>> 0;
  }

  /** Divides the remaining hits into full batches again. A batch that is made of several leaves with the last of them. */
  refund(cells: Cells, at: number, nowMs: number, cost: number, chargedMs: number): void {
    this.available(cells, at, nowMs);
    const { u32, u16 } = cells;
    const ring = (at + RING) * 2;
    const batches = u32[at + FILL]! & COUNT_MASK;
    if (batches === 0) return;
    const used = (batches - 1) * this.#batch + (u32[at + FILL]! >>> COUNT_BITS);
    const tick = Math.floor(nowMs / this.#tickMs);
    const age = tick - Math.floor(chargedMs / this.#tickMs);
    if (age >= this.#ticks) return;
    let begun = 0;
    while (begun < batches && ((tick - u16[ring + begun]!) & 0xffff) >= age) begun++;
    const before = begun === batches ? used : begun * this.#batch;
    const removed = Math.min(cost, before);
    if (removed === 0) return;
    const from = before - removed;
    const left = used - removed;
    const kept = Math.min(Math.ceil(left / this.#batch), this.#slots);
    for (let batch = 0; batch < kept; batch++) {
      const last = (batch === kept - 1 ? left : (batch + 1) * this.#batch) - 1;
      const hit = last < from ? last : last + removed;
      u16[ring + batch] = u16[ring + Math.min(Math.floor(hit / this.#batch), batches - 1)]!;
    }
    const newest = left - Math.max(0, kept - 1) * this.#batch;
    // Hits that join it from now on must not leave with earlier ones, or hits could be taken for older ones again and again.
    if (kept > 0 && newest < this.#batch) u16[ring + kept - 1] = tick & 0xffff;
    u32[at + FILL] = kept === 0 ? 0 : ((newest << COUNT_BITS) | kept) >>> 0;
  }

  waitMs({ u32, u16 }: Cells, at: number, nowMs: number, cost: number): number {
    if (cost > this.limit) return Infinity;
    const fill = u32[at + FILL]!;
    const batches = fill & COUNT_MASK;
    const missing = (batches - 1) * this.#batch + (fill >>> COUNT_BITS) + cost - this.limit;
    if (batches === 0 || missing <= 0) return 0;
    const released = Math.min(Math.ceil(missing / this.#batch), batches) - 1;
    return this.#untilReleased(u16[(at + RING) * 2 + released]!, nowMs);
  }

  resetMs({ u32, u16 }: Cells, at: number, nowMs: number): number {
    return (u32[at + FILL]! & COUNT_MASK) === 0 ? 0 : this.#untilReleased(u16[(at + RING) * 2]!, nowMs);
  }

  #untilReleased(firstTick: number, nowMs: number): number {
    const tick = Math.floor(nowMs / this.#tickMs);
    const ticksLeft = this.#ticks - ((tick - firstTick) & 0xffff);
    return (tick + ticksLeft) * this.#tickMs - nowMs;
  }
}
