import type { ProblemFields } from '../common/problem.js';
import { show } from '../common/show-value.js';

export type HostRejection = 'missing' | 'malformed' | 'duplicate' | 'conflict' | 'not-listed';

/**
 * The problem of a rejected host. Its response repeats nothing of the request: a reflected host can poison caches.
 * @param received the valid hosts that the request names
 * @param setting where the operator can list them
 * @param path of the request, for the option that exempts it
 */
export function hostProblem(
  reason: HostRejection,
  received?: string,
  setting?: string,
  path?: string,
): ProblemFields {
  return reason === 'not-listed'
    ? {
        status: 421,
        code: 'host_not_allowed',
        detail: 'This server does not serve the host of the request.',
        cause: {
          reason,
          received,
          ...(setting === undefined ? {} : { remedy: remedyOf(setting, path) }),
        },
      }
    : {
        status: 400,
        code: 'host_invalid',
        detail: 'The request must name exactly one valid host.',
        cause: { reason },
      };
}

const remedyOf = (setting: string, path: string | undefined): string =>
  `If it is one of your hosts, add it to ${setting}.${path === undefined ? '' : ` If it is a health probe, add ${show(path)} to hosts.exemptPaths.`}`;
