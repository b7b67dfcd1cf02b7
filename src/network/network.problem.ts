import type { ProblemFields } from '../common/problem.js';

/** Says nothing of the networks that would be let in. */
export const NETWORK_PROBLEM: ProblemFields = {
  status: 403,
  code: 'network_not_allowed',
  detail: 'This may not be called from the network of the client.',
};
