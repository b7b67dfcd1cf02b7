/* A bucket that holds `burst` tokens and gains `limit` of them evenly over each window: GCRA, which keeps one number, the time when the
 * bucket is full again. It smooths traffic; after a pause it admits the burst and the refill. */
import type { Algorithm, Cells } from './algorithm.js';

/* Cells: [0..1] when the bucket is full again (64-bit, ms). */

export class TokenBucket implements Algorithm {
  readonly cells = 2;
  readonly aligned = true;
  readonly #msPerToken: number;
  readonly #fullMs: number;

  constructor(
    limit: number,
    windowMs: number,
    private readonly burst: number,
  ) {
    this.#msPerToken = windowMs / limit;
    this.#fullMs = burst * this.#msPerToken;
  }

  available({ f64 }: Cells, at: number, nowMs: number): number {
    const owedMs = Math.max(0, f64[at / 2]! - nowMs);
    // A sum of fractions of milliseconds may miss a whole token by a rounding error; a millionth of one is forgiven.
    return Math.floor((this.#fullMs - owedMs) / this.#msPerToken + 1e-6);
  }

  charge({ f64 }: Cells, at: number, nowMs: number, cost: number): void {
    f64[at / 2] = Math.max(f64[at / 2]!, nowMs) + cost * this.#msPerToken;
  }

  /** What the bucket has gained since might have overflowed with these tokens in it: that much is not given back. */
  refund({ f64 }: Cells, at: number, nowMs: number, cost: number, chargedMs: number): void {
    f64[at / 2] = f64[at / 2]! - Math.max(0, cost * this.#msPerToken - Math.max(0, nowMs - chargedMs));
  }

  waitMs({ f64 }: Cells, at: number, nowMs: number, cost: number): number {
    if (cost > this.burst) return Infinity;
    return Math.max(0, Math.max(f64[at / 2]!, nowMs) + cost * this.#msPerToken - this.#fullMs - nowMs);
  }

  resetMs(cells: Cells, at: number, nowMs: number): number {
    const available = this.available(cells, at, nowMs);
    return available >= this.burst ? 0 : this.waitMs(cells, at, nowMs, available + 1);
  }
}
