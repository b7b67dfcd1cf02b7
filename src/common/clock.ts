/* Time as providers, which tests override. */

/**
 * The clock of the module. Override the provider `CLOCK` in tests, so that no test waits.
 * @example
 * builder.overrideProvider(CLOCK).useValue({ monotonicMs: () => nowMs, epochMs: () => nowMs });
 */
export interface Clock {
  /** Milliseconds that never go back, so that a change of the system time resets no limit. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch, for times in responses. */
  epochMs(): number;
}

/** The injection token of {@link Clock}. @example builder.overrideProvider(CLOCK).useValue(clock); */
export const CLOCK = Symbol('agent-security:clock');

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
};

/**
 * The timers of the module. Override the provider `TIMERS` in tests, so that no test waits.
 * @example
 * builder.overrideProvider(TIMERS).useValue({ start: (ms: number, run: () => void) => queue.push({ ms, run }), stop: () => undefined });
 */
export interface Timers {
  /** Calls `run` once, after `ms` milliseconds. @returns the timer, for `stop` */
  start(ms: number, run: () => void): unknown;
  stop(timer: unknown): void;
}

/** The injection token of {@link Timers}. @example builder.overrideProvider(TIMERS).useValue(timers); */
export const TIMERS = Symbol('agent-security:timers');

export const systemTimers: Timers = {
  // A timer alone must not keep the process alive.
  start: (ms, run) => setTimeout(run, ms).unref(),
  stop: timer => clearTimeout(timer as NodeJS.Timeout),
};
