import type { ProblemFields } from './problem.js';

/** The response that rejects a request, wherever it is written: by a guard, before routing or on a socket. */
export interface Rejection {
  readonly problem: ProblemFields;
  /** Header pairs, name and value in turn. */
  readonly headers: readonly string[];
}
