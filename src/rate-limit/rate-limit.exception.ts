import { ThrottlerException } from '@nestjs/throttler';
import { PROBLEM, type ProblemFields } from '../common/problem.js';
import { withoutStack } from '../common/without-stack.js';
import type { QuotaDecision } from '../limiter/consume.js';
import { quotaProblem } from '../limiter/quota-headers.js';

/**
 * The client is over a limit: 429 `rate_limited`. It is a ThrottlerException, so that filters written for @nestjs/throttler catch it.
 * @example
 * @Catch(RateLimitException)
 * export class LimitFilter extends BaseExceptionFilter {}
 */
export class RateLimitException extends ThrottlerException {
  readonly [PROBLEM]: ProblemFields;

  constructor(problem: ProblemFields, message?: string) {
    super(message ?? problem.detail);
    this[PROBLEM] = problem;
  }
}

/** The exception for a denial. @param detail in place of the problem's own */
export function denialException(decision: QuotaDecision, detail?: string): RateLimitException {
  const problem = quotaProblem(decision);
  return withoutStack(() => new RateLimitException(detail === undefined ? problem : { ...problem, detail }));
}
