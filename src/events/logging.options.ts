/* The option `logging`: which security events are logged, and whether the start-up summary is. */
import { type ForeignNames, renamed } from '../common/foreign-names.js';
import {
  boolean,
  choice,
  expandShort,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';

/**
 * What the module logs about rejected requests and about its configuration. Errors of the app and of stores are always logged.
 * @example
 * AgentSecurityModule.forRoot({ logging: { level: 'warn', summary: false } })
 */
export interface LoggingOptions {
  /**
   * The lowest level of security events in the log:
   * - `error`: the module cannot decide: a store or a sink fails
   * - `warn`: a rejected host, origin, credential, scope, limit, message or URL, a spent share of a limit, a run of denials
   * - `log`: invalid input, a revoked key, a closed connection
   * - `debug`: unknown routes, and every other response with a status from 400
   *
   * `none` logs no event. See docs/guides/logging.md.
   * @default 'log'
   */
  level?: 'debug' | 'log' | 'warn' | 'error' | 'none';
  /**
   * Whether the module logs a summary of its configuration, with a warning for each risky setting, when the app starts.
   * @default true
   */
  summary?: boolean;
}

const TABLE = {
  level: choice(['debug', 'log', 'warn', 'error', 'none'], 'log'),
  summary: boolean(true),
} satisfies OptionTable<LoggingOptions>;

const FOREIGN: ForeignNames = { logLevel: renamed('level'), levels: renamed('level') };

export type ResolvedLogging = Resolved<typeof TABLE>;

export function resolveLogging(input: unknown): ResolvedLogging {
  return input === false
    ? { level: 'none', summary: false }
    : readTable('logging', expandShort(input, 'level'), TABLE, FOREIGN);
}
