import type { ProblemFields } from '../common/problem.js';
import type { InputFault } from './describe-faults.js';

export const validationProblem = (errors: readonly InputFault[]): ProblemFields => ({
  status: 400,
  code: 'validation_failed',
  detail: 'The request is not valid',
  members: { errors },
});
