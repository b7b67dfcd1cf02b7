/* The headers of every response, serialized at start-up: as pairs, and as the text of the response's head. */
import { validateHeaderName, validateHeaderValue } from 'node:http';

/** Headers that do not depend on the request; the request ID is added later. */
export interface FixedHeaders {
  /** Alternating names and values. */
  readonly pairs: readonly string[];
  /** The same as lines of a response's head. */
  readonly text: string;
  /** The lines for an origin that CORS allows. */
  readonly grantedText: string;
}

/** The headers for one kind of content: over HTTP, and over HTTPS with HSTS. */
type HeaderVariant = Readonly<Record<'plain' | 'secure', FixedHeaders>>;

/**
 * What a response is, as far as its policies depend on it:
 * - `page`: HTML, and JavaScript, since a worker obeys the policy of its own script.
 * - `data`: any other Content-Type.
 * - `untyped`: no Content-Type. It has no policy that differs between pages and data.
 * - `notModified`: a 304. A cache lays its headers over those of the stored response, whose policies stay.
 */
export type ResponseKind = 'page' | 'data' | 'untyped' | 'notModified';

/** The headers for successful or for failed responses. */
type HeaderVariants = Readonly<Record<ResponseKind, HeaderVariant>>;

export interface HeaderTemplate extends HeaderVariants {
  readonly requestIdHeader: string | undefined;
  /** The headers of responses with a status of 400 or above. */
  readonly errors: HeaderVariants;
  /** The lower-case names of the headers of all kinds, with those of CORS where the module decides about CORS. */
  readonly names: ReadonlySet<string>;
  /** Removes `X-Powered-By` and `Server`, also those of the app and the framework. */
  readonly removePoweredBy: boolean;
  /** Sends `no-store` even if the handler sets Cache-Control. */
  readonly forceNoStore: boolean;
  /** The same for error responses: Cache-Control of the handler was meant for its result, not for an error. */
  readonly forceNoStoreOnErrors: boolean;
}

export type HeaderPair = readonly [name: string, value: string];

/** The option `headers`, resolved. */
export interface ResolvedHeaders {
  /** The headers of each kind of response, HSTS not among them. */
  readonly kinds: Readonly<Record<ResponseKind, readonly HeaderPair[]>>;
  readonly strictTransportSecurity: string | undefined;
  readonly removePoweredBy: boolean;
}

export interface HeaderTemplateParts extends ResolvedHeaders {
  /** The header of the request ID; `undefined` for none. */
  readonly requestIdHeader: string | undefined;
  readonly noStore: boolean | 'force';
  readonly noStoreOnErrors: boolean;
  /** Whether responses differ by origin. CORS headers of handlers and other middleware are then dropped. */
  readonly varyByOrigin: boolean;
}

/** The response headers of CORS (Fetch standard, Private Network Access). */
export const CORS_NAMES: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-max-age',
  'access-control-allow-private-network',
]);

const RESOURCE_POLICY = 'Cross-Origin-Resource-Policy';

/** Cross-Origin-Resource-Policy must not block a response that CORS allows. */
export const grantedValue = (name: string, value: string): string =>
  name === RESOURCE_POLICY ? 'cross-origin' : value;

/** @throws TypeError for an invalid header name or value */
export function compileHeaderTemplate(parts: HeaderTemplateParts): HeaderTemplate {
  const { requestIdHeader, strictTransportSecurity } = parts;
  const variant = (kind: ResponseKind, noStore: boolean): HeaderVariant => {
    const pairs = parts.kinds[kind].flat();
    if (noStore) pairs.push('Cache-Control', 'no-store');
    if (parts.varyByOrigin) pairs.push('Vary', 'Origin');
    const plain = fixedHeadersOf(pairs);
    if (strictTransportSecurity === undefined) return { plain, secure: plain };
    pairs.push('Strict-Transport-Security', strictTransportSecurity);
    return { plain, secure: fixedHeadersOf(pairs) };
  };
  const variants = (noStore: boolean): HeaderVariants => ({
    page: variant('page', noStore),
    data: variant('data', noStore),
    untyped: variant('untyped', noStore),
    notModified: variant('notModified', noStore),
  });
  const successes = variants(parts.noStore !== false);
  const names = new Set(parts.varyByOrigin ? CORS_NAMES : []);
  if (requestIdHeader !== undefined) names.add(requestIdHeader.toLowerCase());
  for (const { secure } of [successes.page, successes.data])
    eachPair(secure.pairs, name => names.add(name.toLowerCase()));
  return {
    requestIdHeader,
    ...successes,
    errors: variants(parts.noStore !== false || parts.noStoreOnErrors),
    names,
    removePoweredBy: parts.removePoweredBy,
    forceNoStore: parts.noStore === 'force',
    forceNoStoreOnErrors: parts.noStoreOnErrors,
  };
}

function fixedHeadersOf(pairs: readonly string[]): FixedHeaders {
  let text = '';
  let grantedText = '';
  eachPair(pairs, (name, value) => {
    // The text is sent without Node's checks, so the values are validated here.
    validateHeaderName(name);
    validateHeaderValue(name, value);
    text += `${name}: ${value}\r\n`;
    grantedText += `${name}: ${grantedValue(name, value)}\r\n`;
  });
  return { pairs: [...pairs], text, grantedText };
}

/** Calls `visit` for each pair of alternating names and values. */
export function eachPair(pairs: readonly string[], visit: (name: string, value: string) => void): void {
  for (let index = 0; index < pairs.length; index += 2) visit(pairs[index]!, pairs[index + 1]!);
}
