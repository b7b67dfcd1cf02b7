import type { ProblemFields } from '../common/problem.js';
import type { HostRejection } from './check-host.js';

/** The answer to a refused host. It repeats nothing of the request: a reflected host is how caches are poisoned. */
export function hostProblem(reason: HostRejection): ProblemFields {
  return reason === 'not-listed'
    ? {
        status: 421,
        code: 'host_not_allowed',
        detail: 'This server does not answer for the host of the request.',
      }
    : { status: 400, code: 'host_invalid', detail: 'The request must name exactly one valid host.' };
}
