import {
  choice,
  integer,
  list,
  mapped,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';

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

const TABLE = {
  maxLength: integer(8192, 1, 65_536),
  insecureAllow: mapped(
    list(choice(AMBIGUITIES, 'backslash')),
    (forms): ReadonlySet<UrlAmbiguity> => new Set(forms),
  ),
} satisfies OptionTable<UrlOptions>;

export type ResolvedUrl = Resolved<typeof TABLE>;

export function resolveUrl(input: unknown): ResolvedUrl | false {
  return input === false ? false : readTable('url', input, TABLE);
}
