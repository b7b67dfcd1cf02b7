/* A window that opens with a client's first request and starts anew when it closes. It keeps two numbers and admits exactly the limit in
 * each window, which is up to twice the limit across the border of two windows. */
import { type Algorithm, type Cells, MAX_COUNT } from './algorithm.js';

/* Cells: [0..1] when the window closes (64-bit, ms), [2] hits. */
const COUNT = 2;

export class FixedWindow implements Algorithm {
  readonly cells = 3;
  readonly aligned = true;

  constructor(
    readonly limit: number,
    private readonly windowMs: number,
  ) {}

  available({ u32, f64 }: Cells, at: number, nowMs: number): number {
    if (u32[at + COUNT]! > 0 && nowMs >= f64[at / 2]!) u32[at + COUNT] = 0;
    return this.limit - u32[at + COUNT]!;
  }

  charge({ u32, f64 }: Cells, at: number, nowMs: number, cost: number): void {
    if (u32[at + COUNT] === 0) f64[at / 2] = nowMs + this.windowMs;
    u32[at + COUNT] = Math.min(u32[at + COUNT]! + cost, MAX_COUNT);
  }

  refund(cells: Cells, at: number, nowMs: number, cost: number, chargedMs: number): void {
    this.available(cells, at, nowMs);
    const { u32, f64 } = cells;
    // More than the rounding error of a sum of fractions of milliseconds.
    const isThisWindow = chargedMs >= f64[at / 2]! - this.windowMs - 1e-3;
    if (isThisWindow) u32[at + COUNT] = Math.max(0, u32[at + COUNT]! - cost);
  }

  waitMs({ u32, f64 }: Cells, at: number, nowMs: number, cost: number): number {
    if (cost > this.limit) return Infinity;
    return u32[at + COUNT]! + cost <= this.limit ? 0 : f64[at / 2]! - nowMs;
  }

  resetMs({ u32, f64 }: Cells, at: number, nowMs: number): number {
    return u32[at + COUNT] === 0 ? 0 : f64[at / 2]! - nowMs;
  }
}
