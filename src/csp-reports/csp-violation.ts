/* Reads one violation. Any client can send reports: only short text of known forms is kept, no query, no sample of a script, no unknown
 * member. */

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

/** One violation, or none. */
export function readViolation(
  directive: unknown,
  blocked: unknown,
  page: unknown,
  disposition: unknown,
): CspViolation[] {
  // Older browsers send the whole directive with its sources.
  const name = typeof directive === 'string' ? /^([a-z][a-z-]{0,39})(?: |$)/.exec(directive)?.[1] : undefined;
  if (name === undefined) return [];
  const url = readUrl(page);
  return [
    {
      directive: name,
      blocked: readBlocked(blocked),
      page: url && url.origin !== 'null' ? (url.origin + url.pathname).slice(0, MAX_LENGTH) : undefined,
      disposition: disposition === 'report' ? 'report' : 'enforce',
    },
  ];
}

const MAX_LENGTH = 200;

function readBlocked(value: unknown): string {
  if (value === '') return 'inline';
  if (typeof value === 'string' && /^[a-z][a-z-]{0,39}$/.test(value)) return value;
  const url = readUrl(value);
  if (url === undefined) return 'unknown';
  return url.origin === 'null' ? url.protocol.slice(0, -1).slice(0, 40) : url.origin.slice(0, MAX_LENGTH);
}

function readUrl(value: unknown): URL | undefined {
  return typeof value === 'string' && value.length <= 4_096 && URL.canParse(value)
    ? new URL(value)
    : undefined;
}
