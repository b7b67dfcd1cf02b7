import { expandShort, type OptionTable, readTable, type Resolved } from '../common/option-table.js';
import { plainPath } from '../common/read-url.js';

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

const TABLE = { path: plainPath(DEFAULT_PATH) } satisfies OptionTable<CspReportsOptions>;

export type ResolvedCspReports = Resolved<typeof TABLE>;

export function resolveCspReports(input: unknown): ResolvedCspReports | false {
  if (input === undefined || input === false) return false;
  return readTable('cspReports', expandShort(input, 'path'), TABLE);
}
