/* The response that rejects a request, and why, as the operator may know it. */
import type { ProblemFields } from './problem.js';

/** Why a request was rejected, as the operator may know it. */
export interface RejectionCause {
  /** A word or a constant sentence: nothing of the request. */
  readonly reason: string;
  /** What the request sent, which is no secret. */
  readonly received?: string | undefined;
  /** What the operator can change. */
  readonly remedy?: string;
}

export const withCause = (fields: ProblemFields, cause: RejectionCause): ProblemFields => ({
  ...fields,
  cause,
});

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

/** The 503 of a service that the decision depends on and that does not answer. The client may try again after a second. */
export const temporarilyUnavailable = (fields: Pick<ProblemFields, 'code' | 'detail'>): Rejection => ({
  problem: {
    status: 503,
    type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
    members: { retryable: true, retry_after_seconds: 1 },
    ...fields,
  },
  headers: ['Retry-After', '1'],
});
