/** What waits. Tests replace it, so that no test sleeps. */
export interface Timers {
  /** Calls `run` once, after so many milliseconds. @returns what `stop` takes */
  start(ms: number, run: () => void): unknown;
  stop(timer: unknown): void;
}

export const TIMERS = Symbol('agent-security:timers');

export const systemTimers: Timers = {
  // A timer alone must not keep a process alive that is otherwise done.
  start: (ms, run) => setTimeout(run, ms).unref(),
  stop: timer => clearTimeout(timer as NodeJS.Timeout),
};
