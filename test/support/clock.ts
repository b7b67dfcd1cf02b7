import type { Clock } from '../../src/index.js';

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #elapsedMs = 0;
  #jumpedMs = 0;

  constructor(private readonly startEpochMs: number = Date.UTC(2030, 0, 1)) {}

  monotonicMs(): number {
    // Not 0: a table that reads "never" into 0 must not pass by accident.
    return 5_000_000 + this.#elapsedMs;
  }

  epochMs(): number {
    return this.startEpochMs + this.#elapsedMs + this.#jumpedMs;
  }

  advance(ms: number): void {
    this.#elapsedMs += ms;
  }

  /** Changes the system time alone, as an administrator or a time server does. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }
}
