import type { ProblemFields } from '../common/problem.js';
import type { HostRejection } from './check-host.js';

/** The problem of a rejected host. It repeats nothing of the request: a reflected host can poison caches. */
export function hostProblem(reason: HostRejection): ProblemFields {
  return reason === 'not-listed'
    ? {
        status: 421,
        code: 'host_not_allowed',
        detail: 'This server does not serve the host of the request.',
      }
    : { status: 400, code: 'host_invalid', detail: 'The request must name exactly one valid host.' };
}
