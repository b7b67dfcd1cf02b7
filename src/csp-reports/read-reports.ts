/* What browsers say of violations of a Content-Security-Policy, in the two forms that they send (Reporting API, CSP Level 3 section 5).
 * Anybody can send such a report, so nothing of it is kept but short text of known forms: no query, no sample of a script, no unknown
 * member. */
import { isRecord } from '../common/read-options.js';
import { parseStrictJson } from '../common/scan-json.js';

/**
 * A reported violation, reduced to what names no user: URLs without query and fragment.
 * @example
 * const violation: CspViolation = { directive: 'img-src', blocked: 'inline', page: undefined, disposition: 'report' };
 */
export interface CspViolation {
  /** The directive that was violated, such as `script-src-elem`. */
  readonly directive: string;
  /** The origin of what was blocked, or a keyword of the standard: `inline`, `eval`, `data`, `blob`, … */
  readonly blocked: string;
  /** The page's origin and path; `undefined` where the report names none that is http or https. */
  readonly page: string | undefined;
  /** Whether the browser blocked it, or only reported it. */
  readonly disposition: 'enforce' | 'report';
}

export const REPORT_TYPES: ReadonlySet<string> = new Set([
  'application/reports+json',
  'application/csp-report',
]);

/** A browser sends a handful at once. */
const MAX_REPORTS = 100;

/** What no browser sends more of. */
const MAX_DEPTH = 16;
const MAX_KEYS = 10_000;

/** @returns `undefined` for what is no report at all; reports of other kinds (deprecations, crashes) are left out */
export function readReports(bytes: Uint8Array): readonly CspViolation[] | undefined {
  const json = parseStrictJson(bytes, MAX_DEPTH, MAX_KEYS);
  if (!json.valid) return undefined;
  const parsed = json.value;
  if (Array.isArray(parsed)) {
    return (parsed as unknown[]).slice(0, MAX_REPORTS).flatMap(report => {
      if (!isRecord(report) || report['type'] !== 'csp-violation' || !isRecord(report['body'])) return [];
      const { body } = report;
      return violation(
        body['effectiveDirective'],
        body['blockedURL'],
        body['documentURL'] ?? report['url'],
        body['disposition'],
      );
    });
  }
  const report = isRecord(parsed) ? parsed['csp-report'] : undefined;
  if (!isRecord(report)) return undefined;
  return violation(
    report['effective-directive'] ?? report['violated-directive'],
    report['blocked-uri'],
    report['document-uri'],
    report['disposition'],
  );
}

function violation(
  directive: unknown,
  blocked: unknown,
  page: unknown,
  disposition: unknown,
): CspViolation[] {
  // Older browsers send the whole directive, sources and all.
  const name = typeof directive === 'string' ? /^([a-z][a-z-]{0,39})(?: |$)/.exec(directive)?.[1] : undefined;
  if (name === undefined) return [];
  return [
    {
      directive: name,
      blocked: blockedOf(blocked),
      page: pageOf(page),
      disposition: disposition === 'report' ? 'report' : 'enforce',
    },
  ];
}

const MAX_LENGTH = 200;

function blockedOf(value: unknown): string {
  if (typeof value !== 'string' || value.length > 4096) return 'unknown';
  if (value === '') return 'inline';
  if (/^[a-z][a-z-]{0,39}$/.test(value)) return value;
  const url = readUrl(value);
  if (url === undefined) return 'unknown';
  return url.origin === 'null' ? url.protocol.slice(0, -1).slice(0, 40) : url.origin.slice(0, MAX_LENGTH);
}

function pageOf(value: unknown): string | undefined {
  const url = typeof value === 'string' && value.length <= 4096 ? readUrl(value) : undefined;
  return url === undefined || url.origin === 'null'
    ? undefined
    : (url.origin + url.pathname).slice(0, MAX_LENGTH);
}

/** The parser of URLs leaves visible ASCII alone. */
function readUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}
