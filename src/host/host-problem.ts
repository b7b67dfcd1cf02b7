import type { ProblemFields } from '../common/problem.js';

export type HostRejection = 'missing' | 'malformed' | 'duplicate' | 'conflict' | 'not-listed';

/**
 * The problem of a rejected host. Its response repeats nothing of the request: a reflected host can poison caches.
 * @param received the valid hosts that the request names
 * @param setting where the operator can list them
 */
export function hostProblem(reason: HostRejection, received?: string, setting?: string): ProblemFields {
  return reason === 'not-listed'
    ? {
        status: 421,
        code: 'host_not_allowed',
        detail: 'This server does not serve the host of the request.',
        cause: {
          reason,
          received,
          ...(setting === undefined ? {} : { remedy: `If it is one of your hosts, add it to ${setting}.` }),
        },
      }
    : {
        status: 400,
        code: 'host_invalid',
        detail: 'The request must name exactly one valid host.',
        cause: { reason },
      };
}
