import type { Timers } from '../../src/index.js';

/** Timers that wait until a test moves their time. */
export class ManualTimers implements Timers {
  #nowMs = 0;
  readonly #waiting = new Map<object, { readonly atMs: number; readonly run: () => void }>();

  start(ms: number, run: () => void): object {
    const timer = {};
    this.#waiting.set(timer, { atMs: this.#nowMs + ms, run });
    return timer;
  }

  stop(timer: unknown): void {
    this.#waiting.delete(timer as object);
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const [timer, { atMs, run }] of this.#waiting) {
      if (atMs > this.#nowMs) continue;
      this.#waiting.delete(timer);
      run();
    }
  }
}
