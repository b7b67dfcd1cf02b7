import type { Clock } from '../common/clock.js';
import type { Log } from '../common/log.js';
import { logLine } from '../common/log-text.js';

const INTERVAL_MS = 60_000;

/** Logs, at most once a minute, how many requests would have been denied without shadow mode. */
export class ShadowReport {
  #denials = 0;
  #reportedMs = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'warn'>,
  ) {}

  countDenial(): void {
    this.#denials += 1;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#reportedMs < INTERVAL_MS) return;
    this.log.warn(
      logLine`Shadow mode: ${this.#denials} request(s) since the last report would have been denied.`,
    );
    this.#denials = 0;
    this.#reportedMs = nowMs;
  }
}
