import { HttpException } from '@nestjs/common';
import { DETAIL_OF_5XX, type ProblemFields } from '../common/problem.js';
import { readCall } from '../common/read-call.js';
import type { RequestState } from '../common/request-state.js';
import { ProblemException } from '../http/problem.exception.js';
import { rejectionException } from '../http/rejection.exception.js';
import { LIMITS_UNAVAILABLE } from '../limiter/limits-unavailable.js';
import { AppFunctionError, type AppFunctionFailures } from './app-function.js';
import { LimitUnknownError } from './dynamic-limits.js';

const FUNCTION_PROBLEM: ProblemFields = { status: 500, code: 'internal_error', detail: DETAIL_OF_5XX };

/** The exception for a request whose limits could not be determined. Failures of the app's functions are logged. */
export function faultException(
  fault: unknown,
  failures: AppFunctionFailures,
  state: RequestState | undefined,
): HttpException {
  if (fault instanceof LimitUnknownError) return rejectionException(LIMITS_UNAVAILABLE, state);
  const failure =
    fault instanceof AppFunctionError ? fault : new AppFunctionError('A limit', faultException, fault);
  const { cause } = failure;
  // A function that throws an exception about the request has chosen the answer.
  if (cause instanceof HttpException && cause.getStatus() < 500) return cause;
  failures.report(failure, state?.id);
  return new ProblemException(FUNCTION_PROBLEM);
}

/** For a GraphQL operation without its request: it cannot be counted, and so it is not executed. */
export function unknownRequestException(failures: AppFunctionFailures): HttpException {
  const cause = new Error('Return the request from the context function of GraphQLModule, as { req }.');
  const failure = new AppFunctionError('Finding the request of a GraphQL operation', readCall, cause);
  return faultException(failure, failures, undefined);
}
