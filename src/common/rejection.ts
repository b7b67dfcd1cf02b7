import type { ProblemFields } from './problem.js';

/**
 * The response that rejects a request: a problem, and the headers that belong to it.
 * @example
 * const { problem, headers } = rejection; // 401, and ['WWW-Authenticate', 'Bearer']
 */
export interface Rejection {
  readonly problem: ProblemFields;
  /** Alternating names and values. */
  readonly headers: readonly string[];
}
