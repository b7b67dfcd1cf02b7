import { expandShort, type OptionTable, readTable, type Resolved } from '../common/option-table.js';
import { readString, receivedError } from '../common/read-options.js';

/**
 * Collects reports of violations of the Content Security Policy.
 * @example
 * AgentSecurityModule.forRoot({ cspReports: { path: '/csp-reports' } })
 */
export interface CspReportsOptions {
  /**
   * Where browsers send their reports, outside of any global prefix: letters, digits, `.`, `_`, `~` and `-` between slashes. Pages of
   * every origin may send to it.
   * @default '/.well-known/csp-reports'
   */
  path?: string;
}

export const DEFAULT_PATH = '/.well-known/csp-reports';

const TABLE = { path: readPath } satisfies OptionTable<CspReportsOptions>;

export type ResolvedCspReports = Resolved<typeof TABLE>;

export function resolveCspReports(input: unknown): ResolvedCspReports | false {
  if (input === undefined || input === false) return false;
  return readTable('cspReports', expandShort(input, 'path'), TABLE);
}

/** The path stands in a policy and in a quoted header, so that only plain characters are allowed. */
function readPath(option: string, value: unknown): string {
  const path = readString(option, value, DEFAULT_PATH);
  if (/^(?:\/[\w.~-]+)+$/.test(path)) return path;
  throw receivedError(
    'ASEC_PATH_INVALID',
    option,
    'must be an exact path',
    'Write for example "/.well-known/csp-reports": letters, digits, ".", "_", "~" and "-" between slashes.',
    path,
  );
}
