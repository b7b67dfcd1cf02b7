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
