import type { ProblemFields } from '../common/problem.js';

/** Does not name the allowed networks. */
export const NETWORK_PROBLEM: ProblemFields = {
  status: 403,
  code: 'network_not_allowed',
  detail: 'Requests from the network of the client are not allowed.',
};
