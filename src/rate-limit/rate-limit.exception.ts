import { PROBLEM, type ProblemFields, DETAIL_OF_5XX } from '../common/problem.js';
import { bodyForFilters, ProblemException, rejectionException } from '../http/problem.exception.js';
import type { QuotaDecision } from '../limiter/consume.js';
import { quotaProblem } from '../limiter/quota-headers.js';
import { HttpException } from '@nestjs/common';
import { readCall } from '../common/read-call.js';
import type { RequestState } from '../common/request-state.js';
import { LIMITS_UNAVAILABLE } from '../limiter/quota-engine.js';
import { AppFunctionError, type AppFunctionFailures } from './app-function.js';
import { LimitUnknownError } from './dynamic-limits.js';
import { LateThrottlerException } from './late-throttler.guard.js';
import { withoutStack } from '../common/without-stack.js';

/**
 * The client is over a limit: 429 `rate_limited`. It is a ThrottlerException, so that filters written for @nestjs/throttler catch it.
 * @example
 * @Catch(RateLimitException)
 * export class LimitFilter extends BaseExceptionFilter {}
 */
export class RateLimitException extends LateThrottlerException {
  readonly [PROBLEM]: ProblemFields;

  constructor(problem: ProblemFields, message?: string) {
    super(message ?? problem.detail);
    this[PROBLEM] = problem;
  }

  override getResponse(): object {
    return { ...bodyForFilters(this[PROBLEM]), message: this.message };
  }
}

/** The exception for a denial. @param detail in place of the problem's own */
export function denialException(decision: QuotaDecision, detail?: string): RateLimitException {
  const problem = quotaProblem(decision);
  return withoutStack(() => new RateLimitException(detail === undefined ? problem : { ...problem, detail }));
}

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
