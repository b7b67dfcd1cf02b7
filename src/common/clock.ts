/** Where time comes from. Tests replace it, so that no test sleeps. */
export interface Clock {
  /** Milliseconds that never go back (a changed wall clock frees nobody from a limit). */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch, for what clients are told. */
  epochMs(): number;
}

export const CLOCK = Symbol('agent-security:clock');

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
};
