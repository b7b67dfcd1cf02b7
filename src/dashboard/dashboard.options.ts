import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  expandShort,
  optional,
  type OptionTable,
  type ReadOption,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import { readStringList, receivedError } from '../common/read-options.js';
import { plainPath } from '../common/read-url.js';

/**
 * The page for operators: who is limited and rejected, and why. It needs `auth`.
 * @example
 * AgentSecurityModule.forRoot({ auth: { apiKeys: { file: 'keys.json' } }, dashboard: { path: '/security', scopes: ['ops'] } })
 */
export interface DashboardOptions {
  /**
   * Where the page is, outside of any global prefix: letters, digits, `.`, `_`, `~` and `-` between slashes. The page itself holds no data
   * and needs no credential; its data, below the same path, does.
   * @default '/security'
   */
  path?: string;
  /** The scopes that an agent needs, all of them, to read the data. See docs/dashboard.md#sign-in. @default ['ops'] */
  scopes?: readonly string[];
  /**
   * The scopes that an agent needs beside `scopes` to act: to disable an agent, and to reset a quota. Without this option there are no
   * actions; with `audit: false`, it stops the start-up. See docs/dashboard.md#actions.
   * @default no actions
   */
  actionScopes?: readonly string[];
}

/** `undefined` where the option is off. */
export const FIGURES = Symbol('agent-security:figures');
export const DASHBOARD_STAGE = Symbol('agent-security:dashboard-stage');

const DEFAULT_PATH = '/security';

/** An empty list would let every agent in. */
const readScopes: ReadOption<readonly string[]> = (option, value) => {
  const scopes = readStringList(option, value, ['ops']);
  if (scopes.length > 0) return scopes;
  throw receivedError('ASEC_OPTION_TYPE', option, 'must name a scope', 'Write for example ["ops"].', scopes);
};

const TABLE = {
  path: plainPath(DEFAULT_PATH),
  scopes: readScopes,
  actionScopes: optional(readScopes),
} satisfies OptionTable<DashboardOptions>;

export type ResolvedDashboard = Resolved<typeof TABLE>;

/** @throws AgentSecurityConfigError too if there is nothing that authenticates its readers */
export function resolveDashboard(
  input: unknown,
  { auth, audit }: { readonly auth?: unknown; readonly audit?: unknown },
): ResolvedDashboard | false {
  if (input === undefined || input === false) return false;
  const resolved = readTable('dashboard', expandShort(input, 'path'), TABLE);
  if (auth === false)
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_ROUTE',
      'dashboard',
      'is set, and auth is off, so that nothing could protect its data',
      'Set auth, for example auth: { apiKeys: { file: "keys.json" } }, or leave dashboard out.',
    );
  if (audit === false && resolved.actionScopes !== undefined)
    throw new AgentSecurityConfigError(
      'ASEC_OPTION_TYPE',
      'dashboard.actionScopes',
      'is set, and audit is off, so that nothing would record the actions',
      'Leave audit: false out, or leave actionScopes out.',
    );
  return resolved;
}
