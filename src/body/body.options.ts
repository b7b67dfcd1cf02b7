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
   * The largest body, in bytes or as text (`'512kb'`, `'10mb'`; 1 kb is 1024 bytes): one that declares more is answered with 413 before
   * it is read, one that declares nothing (chunked) as soon as more has come. The body parser's own limit (Express 100 kB, Fastify
   * 1 MiB) holds as well.
   * @default '10mb'
   */
  maxBytes?: number | string;
  /** How deep JSON may nest: deeper is answered with 400 before guards of yours and handlers. @default 64 */
  maxDepth?: number;
  /** How many keys the objects of a JSON body may have together: more is answered with 400. @default 10000 */
  maxKeys?: number;
  /**
   * What becomes of JSON with two equal keys in one object: `'reject'` answers 400, `'allow'` leaves the last to the handler, as the
   * parsers do. @default 'reject' @see RFC 8259 section 4
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
