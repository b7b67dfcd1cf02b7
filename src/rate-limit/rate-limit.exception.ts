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
