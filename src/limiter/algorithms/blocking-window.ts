/* The block of @nestjs/throttler: a sliding window, and a client that exceeds it is denied for `blockMs` and then starts anew. */
import type { Algorithm, Cells } from './algorithm.js';
import { SlidingWindow } from './sliding-window.js';

/* Cells: [0..1] until when the client is blocked (64-bit, ms), then the window's. */
const WINDOW = 2;

export class BlockingWindow implements Algorithm {
  readonly cells: number;
  readonly aligned = true;
  readonly #window: SlidingWindow;

  constructor(
    limit: number,
    windowMs: number,
    private readonly blockMs: number,
  ) {
    this.#window = new SlidingWindow(limit, windowMs);
    this.cells = WINDOW + this.#window.cells;
  }

  available(cells: Cells, at: number, nowMs: number): number {
    const until = cells.f64[at / 2]!;
    if (until > nowMs) return 0;
    if (until > 0) {
      cells.f64[at / 2] = 0;
      cells.u32.fill(0, at + WINDOW, at + this.cells);
    }
    return this.#window.available(cells, at + WINDOW, nowMs);
  }

  charge(cells: Cells, at: number, nowMs: number, cost: number): void {
    this.#window.charge(cells, at + WINDOW, nowMs, cost);
  }

  refund(cells: Cells, at: number, nowMs: number, cost: number, chargedMs: number): void {
    if (cells.f64[at / 2]! <= nowMs) this.#window.refund(cells, at + WINDOW, nowMs, cost, chargedMs);
  }

  waitMs(cells: Cells, at: number, nowMs: number, cost: number): number {
    const until = cells.f64[at / 2]!;
    return until > nowMs ? until - nowMs : this.#window.waitMs(cells, at + WINDOW, nowMs, cost);
  }

  resetMs(cells: Cells, at: number, nowMs: number): number {
    const until = cells.f64[at / 2]!;
    return until > nowMs ? until - nowMs : this.#window.resetMs(cells, at + WINDOW, nowMs);
  }

  denied(cells: Cells, at: number, nowMs: number): void {
    if (cells.f64[at / 2]! <= nowMs) cells.f64[at / 2] = nowMs + this.blockMs;
  }
}
