import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';
import type { ProblemFields } from './problem.js';
import type { RequestState } from './request-state.js';

/** Limits requests that the guard of the limits does not see. All members are optional, since a guard that a test puts in place lacks them. */
export interface UnguardedLimiter {
  /** Charges a request that failed earlier (a 404, a missing credential, a malformed body), when its head is written. */
  chargeFailed?(state: RequestState): void;
  /** The same at the error already. @returns the exception to answer with instead, if the client is over its limit */
  limitUnguarded?(host: ArgumentsHost): unknown;
  /** Charges a request to an endpoint that another library mounts. @returns the problem to answer with, if the client is over its limit */
  limitRaw?(raw: IncomingMessage, response: ServerResponse, cost: number): Promise<ProblemFields | undefined>;
}

export const UNGUARDED_LIMITER = Symbol('agent-security:unguarded-limiter');
