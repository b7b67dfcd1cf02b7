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
   * The longest URL, path and query together, in characters: a longer one is answered with 414.
   * @default 8192 @see RFC 9110 section 4.1, which asks for at least 8000
   */
  maxLength?: number;
  /**
   * Ambiguous forms that are let through: `'encoded-slash'` (`%2F`), `'backslash'` (`\`, `%5C`), `'dot-segment'` (`.` and `..`),
   * `'empty-segment'` (`//`), `'parameter'` (`;`). Danger: a proxy, a rule or a file system behind it may read another path than
   * the router does. Control characters and bytes that are no UTF-8 stay refused.
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
