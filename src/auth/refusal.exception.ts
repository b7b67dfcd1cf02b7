import { ProblemException } from '../http/problem.exception.js';
import type { RequestState } from '../common/request-state.js';
import type { Refusal } from './refusal.js';

/** The exception for a refusal, whose headers the response takes from the request's state. Without a stack: refusals come in floods. */
export function refuse(refusal: Refusal, state: RequestState | undefined): ProblemException {
  if (state !== undefined) {
    if (refusal.problem.status === 429) {
      state.quota = refusal.headers;
      // Told of one limit is enough: the module's own would write the same headers.
      state.charged = true;
    } else {
      state.challenge = refusal.headers;
    }
  }
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return new ProblemException(refusal.problem);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
