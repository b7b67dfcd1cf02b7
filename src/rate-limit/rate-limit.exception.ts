import { ThrottlerException } from '@nestjs/throttler';
import { PROBLEM, type ProblemFields } from '../common/problem.js';

/** Over a limit. A ThrottlerException, so that filters written for @nestjs/throttler see it. */
export class RateLimitException extends ThrottlerException {
  readonly [PROBLEM]: ProblemFields;

  constructor(problem: ProblemFields, message?: string) {
    super(message ?? problem.detail);
    this[PROBLEM] = problem;
  }
}

/**
 * The exception without its stack: nobody reads where a refusal was decided, and collecting it takes longer than the decision.
 * A flood of refusals must be cheap.
 */
export function refusal(problem: ProblemFields): RateLimitException {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return new RateLimitException(problem);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
