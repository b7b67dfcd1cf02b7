import type { ProblemFields } from '../common/problem.js';

export const ORIGIN_PROBLEM: ProblemFields = {
  status: 403,
  code: 'origin_not_allowed',
  detail: 'The origin of the request is not allowed.',
};
