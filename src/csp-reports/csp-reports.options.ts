import { readInteger, readObject, readString, receivedError } from '../common/read-options.js';

export interface CspReportsOptions {
  /**
   * Where browsers send their reports, outside of any global prefix: letters, digits, `.`, `_`, `~` and `-` between slashes. Pages of
   * every origin may send to it.
   * @default '/.well-known/csp-reports'
   */
  path?: string;
  /** The largest body of a report, in bytes. @default 65536 */
  maxBytes?: number;
  /** How many requests with reports are taken from an address in a minute. @default 60 */
  maxPerMinute?: number;
  /** How many kinds of violations are counted apart; those that one address alone reports give way to new ones. @default 200 */
  maxKinds?: number;
}

export interface ResolvedCspReports {
  readonly path: string;
  readonly maxBytes: number;
  readonly maxPerMinute: number;
  readonly maxKinds: number;
}

export const DEFAULT_PATH = '/.well-known/csp-reports';

export function resolveCspReports(input: unknown): ResolvedCspReports | false {
  if (input === undefined || input === false) return false;
  const options = readObject('cspReports', input === true ? {} : input, [
    'path',
    'maxBytes',
    'maxPerMinute',
    'maxKinds',
  ]);
  return {
    path: readPath(readString('cspReports.path', options.path, DEFAULT_PATH)),
    maxBytes: readInteger('cspReports.maxBytes', options.maxBytes, 65_536, { min: 1024, max: 1_048_576 }),
    maxPerMinute: readInteger('cspReports.maxPerMinute', options.maxPerMinute, 60, {
      min: 1,
      max: 1_000_000,
    }),
    maxKinds: readInteger('cspReports.maxKinds', options.maxKinds, 200, { min: 1, max: 100_000 }),
  };
}

/** It stands in a policy and in a quoted header, so that only plain characters fit. */
function readPath(path: string): string {
  if (/^(?:\/[\w.~-]+)+$/.test(path)) return path;
  throw receivedError(
    'ASEC_PATH_INVALID',
    'cspReports.path',
    'must be an exact path',
    'Write for example "/.well-known/csp-reports": letters, digits, ".", "_", "~" and "-" between slashes.',
    path,
  );
}
