/* The one decision about an origin: Fetch standard (CORS protocol), and Go's CrossOriginProtection for requests that change
 * state. CORS alone only hides the answer of a refused request, which has run by then; here it is refused before it runs. */
import type { Authority } from '../common/authority.js';
import type { ResolvedCors } from './cors.options.js';
import { isSameOrigin, readOrigin } from './origin.js';

export interface CorsRequest {
  readonly method: string;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
  readonly requestedMethod: string | undefined;
  /** The host that the request was checked for; `undefined` where the check is off. */
  readonly host: Authority | undefined;
  readonly secure: boolean;
}

export type CorsDecision =
  /** Not a matter of CORS: no browser, or the app's own page. */
  | { readonly kind: 'none' }
  /** The origin may read the answer. */
  | { readonly kind: 'granted'; readonly origin: string }
  /** A preflight of an allowed origin, to be answered at once. */
  | { readonly kind: 'preflight'; readonly origin: string }
  /** The origin may not read the answer; the request changes nothing, so it runs. */
  | { readonly kind: 'unreadable' }
  /** The request must not run. */
  | { readonly kind: 'rejected' };

const NONE: CorsDecision = { kind: 'none' };
const UNREADABLE: CorsDecision = { kind: 'unreadable' };
const REJECTED: CorsDecision = { kind: 'rejected' };

export function decideCors(request: CorsRequest, cors: ResolvedCors): CorsDecision {
  const { method, origin } = request;
  const safe = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  if (origin === undefined) {
    // Public data is marked public for everybody: a cache may hand the answer to a browser later.
    if (cors.anyOrigin) return { kind: 'granted', origin: '*' };
    if (isOwnSite(request.secFetchSite)) return NONE;
    return safe ? UNREADABLE : REJECTED;
  }
  const preflight = method === 'OPTIONS' && request.requestedMethod !== undefined;
  if (isAllowedOrigin(origin, cors)) {
    const granted = cors.anyOrigin ? '*' : origin;
    return { kind: preflight ? 'preflight' : 'granted', origin: granted };
  }
  // A browser that calls the request foreign knows its own scheme, which an app behind a proxy may not.
  if (isOwnOrigin(origin, request) && isOwnSite(request.secFetchSite)) return NONE;
  return safe && !preflight ? UNREADABLE : REJECTED;
}

function isOwnOrigin(origin: string, { host, secure }: CorsRequest): boolean {
  const parsed = readOrigin(origin);
  return parsed !== undefined && host !== undefined && isSameOrigin(parsed, host, secure);
}

/** Without an Origin, only `Sec-Fetch-Site` can tell; a client that sends neither is no browser. */
function isOwnSite(secFetchSite: string | undefined): boolean {
  return secFetchSite === undefined || secFetchSite === 'same-origin' || secFetchSite === 'none';
}

export function isAllowedOrigin(origin: string, cors: ResolvedCors): boolean {
  if (cors.anyOrigin || cors.exact.has(origin)) return true;
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
