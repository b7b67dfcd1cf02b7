/* The rules for headers that the handler (or other code) has set: most are sent unchanged, some are dropped or merged with the module's. */
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { CORS_NAMES, type HeaderTemplate } from '../common/header-template.js';
import { PROBLEM_CONTENT_TYPE } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';

/** Whether a header of the handler conflicts with the module's headers, so that they must be merged. */
export function isConflicting(
  lower: string,
  { template, cors: { grantHeaders: grant } }: RequestState,
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

/** `X-Powered-By` and `Server` name the software to attackers. Caching headers of a handler were meant for its result, not for an error. */
export function isDropped(lower: string, template: HeaderTemplate, status: number): boolean {
  if (lower === 'x-powered-by' || lower === 'server') return template.removePoweredBy;
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
export function isForeignCorsHeader(
  lower: string,
  { cors: { grantHeaders: grant }, template }: RequestState,
): boolean {
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

/** The headers that a handler passes to `writeHead`, in each form that Node accepts. */
export type OwnHeaders =
  OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | readonly [string, OutgoingHttpHeader][];

/** Sets each header as `writeHead` would, with all values of a repeated one. */
export function setOwnHeaders(response: ServerResponse, own: OwnHeaders | undefined): void {
  const repeated = new Map<string, OutgoingHttpHeader>();
  eachHeader(own, (name, value) => {
    const lower = name.toLowerCase();
    const earlier = repeated.get(lower);
    const whole = earlier === undefined ? value : [earlier, value].flat().map(String);
    repeated.set(lower, whole);
    response.setHeader(name, whole as string);
  });
}

export function withExactType(own: OutgoingHttpHeaders | undefined): OutgoingHttpHeaders | undefined {
  for (const name in own) {
    if (name.length !== CONTENT_TYPE.length || name.toLowerCase() !== CONTENT_TYPE) continue;
    const value = own[name]!;
    const exact = withoutCharset(value);
    return exact === value ? own : { ...own, [name]: exact };
  }
  return own;
}

/** Visits an object, a flat list of names and values, or a list of pairs. */
function eachHeader(
  own: OwnHeaders | undefined,
  visit: (name: string, value: OutgoingHttpHeader) => void,
): void {
  if (own === undefined || own === null) return;
  if (!Array.isArray(own)) {
    for (const name in own) {
      const value = (own as OutgoingHttpHeaders)[name];
      if (value !== undefined) visit(name, value);
    }
  } else if (Array.isArray(own[0])) {
    for (const [name, value] of own as [string, OutgoingHttpHeader][]) visit(name, value);
  } else {
    for (let index = 0; index < own.length; index += 2) {
      visit(String(own[index]), own[index + 1] as OutgoingHttpHeader);
    }
  }
}
