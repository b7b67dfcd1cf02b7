/* Rejects ambiguous paths, which a proxy, an access rule, the router and a file system may read differently. RFC 3986 sections 2.1 and 3.3,
 * RFC 9112 section 3.2; CWE-22, CWE-172. */
import { requestPath } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import type { ResolvedUrl, UrlAmbiguity } from './url.options.js';

type UrlFault = 'too-long' | 'malformed' | 'control' | UrlAmbiguity;

export type UrlDecision = { readonly allowed: true } | { readonly allowed: false; readonly reason: UrlFault };

const ALLOWED: UrlDecision = { allowed: true };

/** Matches paths that need the full check, which is rare. */
const SUSPICIOUS = /[^!#-$&-:<-[\]-~]|\/[./]/;

/** Checks the path of a request target. The target `*` has none. */
export function checkUrl(target: string, { maxLength, insecureAllow }: ResolvedUrl): UrlDecision {
  if (target.length > maxLength) return { allowed: false, reason: 'too-long' };
  if (target.charCodeAt(0) === 0x2f && !SUSPICIOUS.test(target)) return ALLOWED;
  const path = requestPath(target);
  if (path === '*') return ALLOWED;
  if (path.charCodeAt(0) !== 0x2f) return { allowed: false, reason: 'malformed' };
  if (!SUSPICIOUS.test(path)) return ALLOWED;
  const reason = findReason(path, insecureAllow);
  return reason === undefined ? ALLOWED : { allowed: false, reason };
}

const isDots = (segment: string): boolean => /^(?:\.|%2e){1,2}(?:;|%3b|$)/i.test(segment);

function findReason(path: string, allowed: ReadonlySet<UrlAmbiguity>): UrlFault | undefined {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0020\u007f]/.test(path)) return 'control';
  // Node decodes the request line as Latin-1, so the encoding of other bytes is unknown.
  // eslint-disable-next-line no-control-regex
  if (/[^\u0000-\u007f]/.test(path)) return 'malformed';
  // Encoded twice, for a parser that decodes twice.
  const once = path.replace(/%(?:25)+(?=2e|2f|5c|00|0a|0d)/gi, '%');
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return 'malformed';
  }
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(decoded) || /%(?:00|0a|0d)/i.test(once)) return 'control';
  const rejected = (ambiguity: UrlAmbiguity, found: boolean): boolean => found && !allowed.has(ambiguity);
  if (rejected('encoded-slash', /%2f/i.test(once))) return 'encoded-slash';
  if (rejected('backslash', /\\|%5c/i.test(once))) return 'backslash';
  if (rejected('parameter', path.includes(';'))) return 'parameter';
  if (rejected('empty-segment', path.includes('//'))) return 'empty-segment';
  return rejected('dot-segment', once.split(/\/|\\|%2f|%5c/i).some(isDots)) ? 'dot-segment' : undefined;
}

/** The problem does not contain `reason`, so that an attacker does not learn which forms are accepted. */
export function urlFaultProblem(reason: UrlFault, maxLength: number): ProblemFields {
  if (reason === 'too-long')
    return { status: 414, code: 'uri_too_long', detail: `The URL may have at most ${maxLength} characters.` };
  return { status: 400, code: 'url_invalid', detail: 'The path of the URL is malformed or ambiguous.' };
}
