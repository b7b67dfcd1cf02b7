import type { Rejection } from '../common/rejection.js';
import type { RequestState } from '../common/request-state.js';
import { withoutStack } from '../common/without-stack.js';
import { ProblemException } from './problem.exception.js';

/** Creates the exception of a rejection. The response reads the rejection's headers from the request's state. */
export function rejectionException(
  { problem, headers }: Rejection,
  state: RequestState | undefined,
): ProblemException {
  if (state !== undefined) {
    if (problem.status === 429) {
      state.limits.quota = headers;
      // The module's limit would write the same headers.
      state.limits.charged = true;
    } else {
      state.challenge = headers;
    }
  }
  return withoutStack(() => new ProblemException(problem));
}
