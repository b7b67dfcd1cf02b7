/* Interrupts synchronous work after a time limit, so that quadratic work fails a test instead of hanging it. */
import { createContext, runInContext } from 'node:vm';

/** Far above what linear work takes on the slowest machine, far below what quadratic work takes on the fastest. */
const TIMEOUT_MS = 20_000;

/** One for all calls: to make one takes longer than most of their work. */
const context: { work?: () => void } = createContext({});

/** @throws Error `ERR_SCRIPT_EXECUTION_TIMEOUT` after 20 seconds of synchronous work */
export function expectToFinish(work: () => void): void {
  context.work = work;
  runInContext('work()', context, { timeout: TIMEOUT_MS });
}
