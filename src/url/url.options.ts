import { readChoice, readInteger, readObject, readStringList } from '../common/read-options.js';

/** Forms of a path that two readers may take for different paths. */
export const AMBIGUITIES = [
  'encoded-slash',
  'backslash',
  'dot-segment',
  'empty-segment',
  'parameter',
] as const;

export type UrlAmbiguity = (typeof AMBIGUITIES)[number];

export interface UrlOptions {
  /**
   * The longest URL, path and query together, in characters. A longer one gets 414 `uri_too_long`. Node's own bound on the head (16
   * KiB) holds as well.
   * @default 8192
   * @see RFC 9110 section 4.1, which asks for at least 8000
   */
  maxLength?: number;
  /**
   * Ambiguous forms that are accepted: `'encoded-slash'` (`%2F`), `'backslash'` (`\`, `%5C`), `'dot-segment'` (`.` and `..`),
   * `'empty-segment'` (`//`), `'parameter'` (`;`).
   *
   * Danger: a proxy's rule, or a file system, may then read another path than the router does. Control characters, bytes that are not
   * UTF-8 and malformed percent-encodings stay rejected.
   * @default []
   */
  insecureAllow?: readonly UrlAmbiguity[];
}

export interface ResolvedUrl {
  readonly maxLength: number;
  readonly allowed: ReadonlySet<UrlAmbiguity>;
}

export function resolveUrl(input: unknown): ResolvedUrl | false {
  if (input === false) return false;
  const options = readObject('url', input, ['maxLength', 'insecureAllow']);
  const allowed = readStringList('url.insecureAllow', options.insecureAllow, []);
  for (const [index, name] of allowed.entries())
    readChoice(`url.insecureAllow[${index}]`, name, AMBIGUITIES, 'backslash');
  return {
    maxLength: readInteger('url.maxLength', options.maxLength, 8192, { min: 1, max: 65_536 }),
    allowed: new Set(allowed as UrlAmbiguity[]),
  };
}
