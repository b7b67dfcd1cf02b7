/* Ends work that does not end by itself, so that quadratic work fails a test and does not hang it. */
import { createContext, runInContext } from 'node:vm';

/** Far above what linear work takes on the slowest machine, far below what quadratic work takes on the fastest. */
const TIMEOUT_MS = 20_000;

/** @throws Error `ERR_SCRIPT_EXECUTION_TIMEOUT` after 20 seconds of synchronous work */
export function runInterruptibly(work: () => void): void {
  runInContext('work()', createContext({ work }), { timeout: TIMEOUT_MS });
}
