/* The rules for headers that the handler (or other code) has set: most are sent unchanged, some are dropped or merged with the module's. */
import type { OutgoingHttpHeader } from 'node:http';
import { CORS_NAMES, type HeaderTemplate } from '../common/header-template.js';
import { PROBLEM_CONTENT_TYPE } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';

/** Whether a header of the handler conflicts with the module's headers, so that they must be merged. */
export function isConflicting(
  lower: string,
  { template, cors: { grant } }: RequestState,
  status: number,
): boolean {
  return (
    template.names.has(lower) ||
    LATE_HEADERS.has(lower) ||
    isDropped(lower, template, status) ||
    (grant !== undefined && CORS_NAMES.has(lower)) ||
    // With `Expect`, Node sends the head at once.
    lower === 'expect'
  );
}

export const CONTENT_TYPE = 'content-type';

/** Headers that CORS, rate limits or authentication may add; a handler may set them too. */
const LATE_HEADERS: ReadonlySet<string> = new Set([
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'www-authenticate',
  'x-token-expired',
]);

/** `X-Powered-By` names the framework to attackers. Caching headers of a handler were meant for its result, not for an error. */
export function isDropped(lower: string, template: HeaderTemplate, status: number): boolean {
  if (lower === 'x-powered-by') return template.removePoweredBy;
  if (status < 400) return false;
  return lower === 'etag' || (template.forceNoStoreOnErrors && isCachePolicy(lower));
}

/** `Cache-Control` and headers that override it: RFC 9213 (`CDN-Cache-Control` and similar), `Surrogate-Control`, `Expires`. */
function isCachePolicy(lower: string): boolean {
  return lower.endsWith('cache-control') || lower === 'surrogate-control' || lower === 'expires';
}

/** The headers that the CORS decision sets. The other `Access-Control-*` headers belong to preflights. */
const GRANTED_NAMES: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
]);

/** CORS headers of handlers and other middleware are dropped: the module alone decides, even over `*`. */
export function isForeignCorsHeader(lower: string, { cors: { grant }, template }: RequestState): boolean {
  if (!CORS_NAMES.has(lower)) return false;
  return grant === undefined ? template.names.has(lower) : GRANTED_NAMES.has(lower);
}

/** Removes the charset that Express adds to every text: JSON has no such parameter (RFC 8259 section 11). */
export function withoutCharset<T>(value: T): T | string {
  return typeof value === 'string' && value.startsWith(PROBLEM_CONTENT_TYPE) ? PROBLEM_CONTENT_TYPE : value;
}

export function mergeVary(own: OutgoingHttpHeader): string {
  const text = Array.isArray(own) ? own.join(', ') : String(own);
  const names = text.split(',').map(name => name.trim().toLowerCase());
  return names.includes('*') || names.includes('origin') ? text : text === '' ? 'Origin' : `${text}, Origin`;
}
