import {
  bytes,
  choice,
  integer,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';

export interface BodyOptions {
  /**
   * The largest body, in bytes or as text (`'512kb'`, `'10mb'`; 1 kb is 1024 bytes). A request that declares more gets 413
   * `body_too_large` before its body is read, a request that declares no length (chunked) as soon as more has come. `@MaxBody()`
   * narrows it for a route.
   *
   * Note: the platform's parser has a limit of its own (Express 100 kB, Fastify 1 MiB), which holds as well.
   * @default '10mb'
   */
  maxBytes?: number | string;
  /**
   * How deep JSON may nest. Deeper JSON gets 400 `body_invalid` before the app's guards and handlers, and so does a prototype-polluting
   * key (`__proto__`, or `constructor` with a `prototype`).
   * @default 64
   */
  maxDepth?: number;
  /**
   * How many keys the objects of a JSON body, or a form, may have together. More get 400 `body_invalid`. An endpoint that takes
   * thousands of records at once needs more.
   * @default 10000
   */
  maxKeys?: number;
  /**
   * `'reject'` answers JSON with two equal keys in one object with 400 `body_invalid`; `'allow'` leaves the last of them to the
   * handler, as the parsers do.
   *
   * Danger of `'allow'`: a gateway, a scanner or a log in front may have read the first key. The check takes about half as long as
   * parsing.
   * @default 'reject'
   * @see RFC 8259 section 4
   */
  duplicateKeys?: 'reject' | 'allow';
}

export const DEFAULT_MAX_KEYS = 10_000;

const TABLE = {
  maxBytes: bytes(10 * 1024 ** 2),
  maxDepth: integer(64, 1, 10_000),
  maxKeys: integer(DEFAULT_MAX_KEYS, 1, 1_000_000),
  duplicateKeys: choice(['reject', 'allow'], 'reject'),
} satisfies OptionTable<BodyOptions>;

export type ResolvedBody = Resolved<typeof TABLE>;

export function resolveBody(input: unknown): ResolvedBody | false {
  return input === false ? false : readTable('body', input, TABLE);
}
