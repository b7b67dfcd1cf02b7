/* What is said once a window and client, with a bound: who makes up new clients makes it forget the oldest, and repeat itself. */
import { BoundedMap } from '../common/bounded-map.js';

const MAX_SAID = 10_000;

export class Once {
  readonly #untilMs = new BoundedMap<string, number>(MAX_SAID);

  /** Whether `what` was not said yet, or so long ago that it may be said again; it is then taken as said. */
  isFirst(what: string, nowMs: number, forMs: number): boolean {
    const untilMs = this.#untilMs.get(what);
    if (untilMs !== undefined && nowMs < untilMs) return false;
    this.#untilMs.set(what, nowMs + forMs);
    return true;
  }
}
