import {
  choice,
  expandShort,
  integer,
  list,
  mapped,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import { renamed } from '../common/foreign-names.js';

/** The forms that make a path ambiguous: two parsers may read them as different paths. */
export const AMBIGUITIES = [
  'encoded-slash',
  'backslash',
  'dot-segment',
  'empty-segment',
  'parameter',
] as const;

/** A form of ambiguous paths. @example url: { insecureAllow: ['encoded-slash' satisfies UrlAmbiguity] } */
export type UrlAmbiguity = (typeof AMBIGUITIES)[number];

/**
 * Limits of request URLs.
 * @example
 * AgentSecurityModule.forRoot({ url: { maxLength: 4096, insecureAllow: ['encoded-slash'] } })
 */
export interface UrlOptions {
  /**
   * The longest URL (path and query) in characters, 1 to 65536. A longer URL gets 414 `uri_too_long`. Node's own limit of the head (16
   * KiB) applies too.
   * @default 8192
   * @see RFC 9110 section 4.1, which asks for at least 8000
   */
  maxLength?: number;
  /**
   * Ambiguous forms of paths that are accepted: `'encoded-slash'` (`%2F`), `'backslash'` (`\`, `%5C`), `'dot-segment'` (`.` and `..`),
   * `'empty-segment'` (`//`), `'parameter'` (`;`). All others get 400 `url_invalid`. Control characters, invalid UTF-8 and malformed
   * percent-encodings are always rejected.
   *
   * Danger: a proxy, an access rule or a file system may read another path than the router.
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
  return input === false
    ? false
    : readTable('url', expandShort(input), TABLE, { maxParamLength: renamed('maxLength') });
}
