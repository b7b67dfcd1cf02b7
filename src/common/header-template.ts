/* What stands in the head of every response, made ready at start-up: as pairs, and as the text that goes over the wire. */
import { validateHeaderName, validateHeaderValue } from 'node:http';

/** Headers that stand whatever is answered, the request's ID left out. */
export interface FixedHeaders {
  /** Name and value in turn. */
  readonly pairs: readonly string[];
  /** The same as lines of a head. */
  readonly text: string;
  /** For a reader of another origin, whom CORS has just allowed. */
  readonly sharedText: string;
}

/** For one kind of content. */
interface HeaderVariant {
  /** Over HTTP. */
  readonly plain: FixedHeaders;
  /** Over HTTPS: HSTS as well. */
  readonly secure: FixedHeaders;
}

/** For one kind of answer. */
interface HeaderVariants {
  readonly data: HeaderVariant;
  readonly html: HeaderVariant;
}

export interface HeaderTemplate extends HeaderVariants {
  readonly requestIdHeader: string | undefined;
  /** Of responses with a status from 400. */
  readonly errors: HeaderVariants;
  /** The (lower-case) names of all of them, and those of CORS where the module decides. */
  readonly names: ReadonlySet<string>;
  readonly removePoweredBy: boolean;
  /** `no-store` also over a handler's own Cache-Control. */
  readonly forceNoStore: boolean;
  /** The same for errors: what a handler set for its answer says nothing of the error in its place. */
  readonly forceNoStoreOnErrors: boolean;
}

export interface HeaderTemplateParts {
  /** The header that carries the request's ID; `undefined` for none. */
  readonly requestIdHeader: string | undefined;
  readonly common: readonly (readonly [string, string])[];
  readonly policies: readonly (readonly [string, string])[];
  readonly htmlPolicies: readonly (readonly [string, string])[];
  readonly strictTransportSecurity: string | undefined;
  readonly removePoweredBy: boolean;
  readonly noStore: boolean | 'force';
  readonly noStoreOnErrors: boolean;
  /** Whether answers differ by origin, as the module decides: nobody else's CORS headers are sent then. */
  readonly varyByOrigin: boolean;
}

/** What CORS says in a response (Fetch standard, Private Network Access). */
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

/** A browser must not block, by the resource policy, what CORS has just allowed. */
export const sharedValue = (name: string, value: string): string =>
  name === RESOURCE_POLICY ? 'cross-origin' : value;

/** @throws TypeError for a name or a value that no header can have */
export function compileHeaderTemplate(parts: HeaderTemplateParts): HeaderTemplate {
  const { requestIdHeader, strictTransportSecurity } = parts;
  const variant = (policies: HeaderTemplateParts['policies'], noStore: boolean): HeaderVariant => {
    const pairs = [...parts.common, ...policies].flat();
    if (noStore) pairs.push('Cache-Control', 'no-store');
    if (parts.varyByOrigin) pairs.push('Vary', 'Origin');
    const plain = policyState(pairs);
    if (strictTransportSecurity === undefined) return { plain, secure: plain };
    return { plain, secure: policyState([...pairs, 'Strict-Transport-Security', strictTransportSecurity]) };
  };
  const variants = (noStore: boolean): HeaderVariants => ({
    data: variant(parts.policies, noStore),
    html: variant(parts.htmlPolicies, noStore),
  });
  const { data, html } = variants(parts.noStore !== false);
  const names = new Set(parts.varyByOrigin ? CORS_NAMES : []);
  if (requestIdHeader !== undefined) names.add(requestIdHeader.toLowerCase());
  for (const { secure } of [data, html]) eachPair(secure.pairs, name => names.add(name.toLowerCase()));
  return {
    requestIdHeader,
    data,
    html,
    errors: variants(parts.noStore !== false || parts.noStoreOnErrors),
    names,
    removePoweredBy: parts.removePoweredBy,
    forceNoStore: parts.noStore === 'force',
    forceNoStoreOnErrors: parts.noStoreOnErrors,
  };
}

function policyState(pairs: readonly string[]): FixedHeaders {
  const shared: string[] = [];
  eachPair(pairs, (name, value) => {
    // Text goes out as it is, so what Node would refuse must not get that far.
    validateHeaderName(name);
    validateHeaderValue(name, value);
    shared.push(name, sharedValue(name, value));
  });
  return { pairs, text: linesOf(pairs), sharedText: linesOf(shared) };
}

/** Visits names and values that stand in turn. */
export function eachPair(pairs: readonly string[], visit: (name: string, value: string) => void): void {
  for (let index = 0; index < pairs.length; index += 2) visit(pairs[index]!, pairs[index + 1]!);
}

/** The lines of a head. */
function linesOf(pairs: readonly string[]): string {
  let lines = '';
  for (let index = 0; index < pairs.length; index += 2) lines += `${pairs[index]!}: ${pairs[index + 1]!}\r\n`;
  return lines;
}
