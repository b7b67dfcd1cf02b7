/* Decides about the origin of a request: the CORS protocol (Fetch standard), and protection against cross-origin
 * requests that change state, as in Go's CrossOriginProtection. CORS alone only hides the response of such a request,
 * after its handler has run. */
import type { Authority } from '../common/authority.js';
import type { ResolvedCors } from './cors.options.js';
import { hasExactOrigin, isSameOrigin, readOrigin } from './origin.js';
import type { IncomingMessage, IncomingHttpHeaders } from 'node:http';
import type { ProblemFields } from '../common/problem.js';

export interface CorsRequest {
  readonly method: string;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
  readonly requestedMethod: string | undefined;
  /** The checked host of the request; `undefined` where the check is off. */
  readonly host: Authority | undefined;
  readonly secure: boolean;
}

export type CorsDecision =
  /** CORS does not apply: no browser, or a page of the same origin. */
  | { readonly kind: 'none' }
  /** The origin may read the response. */
  | { readonly kind: 'granted'; readonly origin: string }
  /** A preflight of an allowed origin, which the edge answers. */
  | { readonly kind: 'preflight'; readonly origin: string }
  /** The origin may not read the response. The request is safe (GET, HEAD, OPTIONS), so its handler runs. */
  | { readonly kind: 'unreadable' }
  /** The request is rejected. */
  | { readonly kind: 'rejected' };

const NONE: CorsDecision = { kind: 'none' };
const UNREADABLE: CorsDecision = { kind: 'unreadable' };
const REJECTED: CorsDecision = { kind: 'rejected' };

export function decideCors(request: CorsRequest, cors: ResolvedCors): CorsDecision {
  const { method, origin } = request;
  const safe = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  if (origin === undefined) {
    // Sent without an Origin too: a cache may serve the response to a browser later.
    if (cors.anyOrigin) return { kind: 'granted', origin: '*' };
    if (isOwnPage(request)) return NONE;
    return safe ? UNREADABLE : REJECTED;
  }
  const preflight = method === 'OPTIONS' && request.requestedMethod !== undefined;
  if (isAllowedOrigin(origin, cors)) {
    const granted = cors.anyOrigin ? '*' : origin;
    return { kind: preflight ? 'preflight' : 'granted', origin: granted };
  }
  if (isOwnPage(request)) return NONE;
  return safe && !preflight ? UNREADABLE : REJECTED;
}

/**
 * Whether a request comes from a page of the app, or from no page. `Sec-Fetch-Site: same-origin` decides over `Origin`: no script can set
 * it, while a referrer policy turns the Origin of a form into `null`, and a development proxy rewrites the host that it is compared with.
 */
export function isOwnPage({
  origin,
  secFetchSite,
  host,
  secure,
}: Pick<CorsRequest, 'origin' | 'secFetchSite' | 'host' | 'secure'>): boolean {
  if (secFetchSite === 'same-origin') return true;
  // A client that sends neither header is no browser.
  if (secFetchSite !== undefined && secFetchSite !== 'none') return false;
  if (origin === undefined) return true;
  const parsed = readOrigin(origin);
  return parsed !== undefined && host !== undefined && isSameOrigin(parsed, host, secure);
}

export function isAllowedOrigin(
  origin: string,
  cors: Pick<ResolvedCors, 'anyOrigin' | 'exact' | 'suffixes'>,
): boolean {
  if (cors.anyOrigin || hasExactOrigin(cors.exact, origin)) return true;
  if (cors.suffixes.size === 0) return false;
  const parsed = readOrigin(origin);
  if (parsed === undefined || parsed.name.startsWith('[')) return false;
  const { scheme, name, port } = parsed;
  const tail = port === undefined ? '' : `:${port}`;
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    if (cors.suffixes.has(`${scheme}://${name.slice(dot + 1)}${tail}`)) return true;
  }
  return false;
}

/**
 * Whether a request is a CORS preflight (Fetch, "CORS-preflight request"): OPTIONS with Origin and
 * Access-Control-Request-Method. A browser never sends a body with it.
 */
export function isPreflight(raw: IncomingMessage): boolean {
  const { method, headers } = raw;
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined &&
    !hasBody(raw)
  );
}

function hasBody(raw: IncomingMessage): boolean {
  const { headers } = raw;
  // In HTTP/2 a body needs neither header.
  const { stream } = raw as IncomingMessage & { stream?: { endAfterHeaders?: boolean } };
  return (
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length'] ?? 0) !== 0 ||
    stream?.endAfterHeaders === false
  );
}

/** Adds a request header that preflights grant. */
export function allowHeader(cors: ResolvedCors, header: string): ResolvedCors {
  const names = cors.allowHeaders.toLowerCase().split(', ');
  if (names.includes(header.toLowerCase())) return cors;
  return { ...cors, allowHeaders: [cors.allowHeaders, header].filter(text => text !== '').join(', ') };
}

const ORIGIN_PROBLEM: ProblemFields = {
  status: 403,
  code: 'origin_not_allowed',
  detail: 'The origin of the request is not allowed.',
};

/** The same with its cause, for the log. */
export function originProblem(
  { origin, 'sec-fetch-site': site }: IncomingHttpHeaders,
  setting = 'cors.origins (CORS_ORIGINS)',
): ProblemFields {
  const cause =
    origin === undefined
      ? { reason: 'cross-site', received: `Sec-Fetch-Site: ${String(site)}` }
      : {
          reason: 'not-listed',
          received: origin,
          remedy: `If it is one of your origins, add it to ${setting}.`,
        };
  return { ...ORIGIN_PROBLEM, cause };
}
