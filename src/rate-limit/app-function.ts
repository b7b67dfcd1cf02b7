/* Calls functions of the app that a limit needs: `cost`, `key`, `tier`, a tracker. A client may be able to make them fail by what it sends.
 * Such a request is counted without the function and answered with 500; the failure is logged once a minute. */
import { type Log, logLine, logStack } from '../common/log-text.js';
import type { Clock } from '../common/clock.js';

// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
type AnyFunction = Function;

/** A function of the app has thrown, rejected or returned an invalid value. */
export class AppFunctionError extends Error {
  override readonly name = 'AppFunctionError';

  /** @param what the name of the function in the log */
  constructor(
    readonly what: string,
    readonly func: AnyFunction,
    override readonly cause: unknown,
  ) {
    super(`${what} failed`);
  }
}

/** Calls a function of the app. @throws AppFunctionError if it fails, or if `check` throws for its result */
export async function callApp<T>(
  what: string,
  func: AnyFunction,
  call: () => unknown,
  check: (value: unknown) => T,
): Promise<T> {
  try {
    return check(await call());
  } catch (error) {
    throw new AppFunctionError(what, func, error);
  }
}

const LOG_INTERVAL_MS = 60_000;

export class AppFunctionFailures {
  readonly #loggedMs = new WeakMap<AnyFunction, number>();

  constructor(
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'error'>,
  ) {}

  /** Logs a failure, once a minute for each function. */
  report({ what, func, cause }: AppFunctionError, requestId: string | undefined): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - (this.#loggedMs.get(func) ?? -Infinity) < LOG_INTERVAL_MS) return;
    this.#loggedMs.set(func, nowMs);
    const id = requestId ? `[${requestId}] ` : '';
    const reason = cause instanceof Error ? cause.message : cause;
    this.log.error(
      logLine`${id}${what} failed: ${reason}. The request was counted as one unit and answered with 500; further failures are logged once a minute.`,
      cause instanceof Error ? logStack(cause) : undefined,
    );
  }
}
