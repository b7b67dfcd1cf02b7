/* What becomes of a header that the response's author has set: most are sent as they are, some are dropped or combined with the module's. */
import type { OutgoingHttpHeader } from 'node:http';
import { CORS_NAMES, type HeaderTemplate } from '../common/header-template.js';
import { PROBLEM_CONTENT_TYPE } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';

/** Whether a header of the author's has to be judged together with the module's. */
export function isEntangled(
  lower: string,
  { template, cors: { grant } }: RequestState,
  status: number,
): boolean {
  return (
    template.names.has(lower) ||
    LATE_HEADERS.has(lower) ||
    isDropped(lower, template, status) ||
    (grant !== undefined && CORS_NAMES.has(lower)) ||
    // With it, Node sends the head as soon as it is written.
    lower === 'expect'
  );
}

export const CONTENT_TYPE = 'content-type';

/** Names that a grant, a quota or a challenge adds: a handler may have chosen them too. */
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

/** `X-Powered-By` tells attackers what to try; what lets a cache keep an answer was not meant for the error in its place. */
export function isDropped(lower: string, template: HeaderTemplate, status: number): boolean {
  if (lower === 'x-powered-by') return template.removePoweredBy;
  if (status < 400) return false;
  return lower === 'etag' || (template.forceNoStoreOnErrors && isCachePolicy(lower));
}

/** `Cache-Control`, and what caches put above it: RFC 9213 (`CDN-Cache-Control` and its like), `Surrogate-Control`, `Expires`. */
function isCachePolicy(lower: string): boolean {
  return lower.endsWith('cache-control') || lower === 'surrogate-control' || lower === 'expires';
}

/** What a grant decides; the rest of `Access-Control-*` belongs to a preflight's answer, which is our own. */
const GRANTED_NAMES: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
]);

/** CORS is decided in one place: what a handler or another middleware says of it is not sent, be it `*`. */
export function isForeignCorsHeader(lower: string, { cors: { grant }, template }: RequestState): boolean {
  if (!CORS_NAMES.has(lower)) return false;
  return grant === undefined ? template.names.has(lower) : GRANTED_NAMES.has(lower);
}

/** Express adds a charset to every text; JSON has no such parameter (RFC 8259 section 11). */
export function withoutCharset<T>(value: T): T | string {
  return typeof value === 'string' && value.startsWith(PROBLEM_CONTENT_TYPE) ? PROBLEM_CONTENT_TYPE : value;
}

export function mergeVary(own: OutgoingHttpHeader): string {
  const text = Array.isArray(own) ? own.join(', ') : String(own);
  const names = text.split(',').map(name => name.trim().toLowerCase());
  return names.includes('*') || names.includes('origin') ? text : text === '' ? 'Origin' : `${text}, Origin`;
}
