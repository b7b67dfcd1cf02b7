import { BoundedMap } from '../common/bounded-map.js';

/** Beyond it the oldest entries are forgotten, and what they stand for is reported again. */
const MAX_ENTRIES = 10_000;

/** Reports something once a window, with a bound on memory. */
export class OncePerWindow {
  readonly #untilMs = new BoundedMap<string, number>(MAX_ENTRIES);

  /** Whether `what` was not reported within the last window; it then counts as reported for `windowMs`. */
  isFirst(what: string, nowMs: number, windowMs: number): boolean {
    const untilMs = this.#untilMs.get(what);
    if (untilMs !== undefined && nowMs < untilMs) return false;
    this.#untilMs.set(what, nowMs + windowMs);
    return true;
  }
}
