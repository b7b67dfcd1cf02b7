/* What stands in the head of every response, made ready at start-up: as pairs, and as the text that goes over the wire. */
import { validateHeaderName, validateHeaderValue } from 'node:http';

/** Headers that stand whatever is answered, the request's ID left out. */
export interface StandingHeaders {
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
  readonly plain: StandingHeaders;
  /** Over HTTPS: HSTS as well. */
  readonly secure: StandingHeaders;
}

export interface HeaderTemplate {
  readonly requestIdHeader: string | undefined;
  readonly data: HeaderVariant;
  readonly html: HeaderVariant;
  /** The (lower-case) names of all of them. */
  readonly names: ReadonlySet<string>;
  readonly removePoweredBy: boolean;
  /** `no-store` also over a handler's own Cache-Control. */
  readonly forceNoStore: boolean;
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
  /** Whether answers differ by origin. */
  readonly varyByOrigin: boolean;
}

const RESOURCE_POLICY = 'Cross-Origin-Resource-Policy';

/** A browser must not block, by the resource policy, what CORS has just allowed. */
export const sharedValue = (name: string, value: string): string =>
  name === RESOURCE_POLICY ? 'cross-origin' : value;

/** @throws TypeError for a name or a value that no header can have */
export function compileHeaderTemplate(parts: HeaderTemplateParts): HeaderTemplate {
  const { requestIdHeader, strictTransportSecurity } = parts;
  const variant = (policies: readonly (readonly [string, string])[]): HeaderVariant => {
    const pairs = [...parts.common, ...policies].flat();
    if (parts.noStore) pairs.push('Cache-Control', 'no-store');
    if (parts.varyByOrigin) pairs.push('Vary', 'Origin');
    const plain = standing(pairs);
    if (strictTransportSecurity === undefined) return { plain, secure: plain };
    return { plain, secure: standing([...pairs, 'Strict-Transport-Security', strictTransportSecurity]) };
  };
  const data = variant(parts.policies);
  const html = variant(parts.htmlPolicies);
  const names = new Set(requestIdHeader === undefined ? [] : [requestIdHeader.toLowerCase()]);
  for (const { secure } of [data, html]) eachPair(secure.pairs, name => names.add(name.toLowerCase()));
  return {
    requestIdHeader,
    data,
    html,
    names,
    removePoweredBy: parts.removePoweredBy,
    forceNoStore: parts.noStore === 'force',
  };
}

function standing(pairs: readonly string[]): StandingHeaders {
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
