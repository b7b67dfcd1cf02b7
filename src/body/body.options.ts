import {
  bytes,
  choice,
  expandShort,
  integer,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import { type ForeignNames, renamed } from '../common/foreign-names.js';

/**
 * Limits of request bodies.
 * @example
 * AgentSecurityModule.forRoot({ body: { maxBytes: '1mb', maxDepth: 20 } })
 */
export interface BodyOptions {
  /**
   * The longest body, in bytes or as text (`'512kb'`, `'10mb'`; 1 kb is 1024 bytes). A longer `Content-Length` gets 413 `body_too_large`
   * before the body is read; a chunked body gets it when it exceeds the limit. `@MaxBody()` narrows the limit for a route.
   *
   * Note: the body parser has a limit of its own (Express 100 kB, Fastify 1 MiB). The lower one applies.
   * @default '10mb'
   */
  maxBytes?: number | string;
  /**
   * The most levels of nesting in JSON, 1 to 10000. A deeper body gets 400 `body_invalid` before the app's guards and handlers, and so
   * does a prototype-polluting key (`__proto__`, or `constructor` with a `prototype`).
   * @default 64
   */
  maxDepth?: number;
  /**
   * The most keys of all objects in a JSON body, or of a form: 1 to 1000000. A body with more gets 400 `body_invalid`. An endpoint that
   * takes thousands of records in one request needs more.
   * @default 10000
   */
  maxKeys?: number;
  /**
   * JSON with duplicate keys in one object: `'reject'` answers 400 `body_invalid`; `'allow'` leaves it to the parser, which keeps the
   * last. The check takes about half as long as parsing.
   *
   * Danger: with `'allow'`, a gateway, a scanner or a log may have read the first key.
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

/** The names of body-parser, of Fastify and of earlier parsers. */
const FOREIGN: ForeignNames = {
  limit: renamed('maxBytes'),
  bodyLimit: renamed('maxBytes'),
  maxSize: renamed('maxBytes'),
  parameterLimit: renamed('maxKeys'),
  depth: renamed('maxDepth'),
};

export type ResolvedBody = Resolved<typeof TABLE>;

/** The resolved option; its defaults where `body` is off. */
export const RESOLVED_BODY = Symbol('agent-security:resolved-body');

export function resolveBody(input: unknown): ResolvedBody | false {
  if (input === false) return false;
  return readTable(
    'body',
    typeof input === 'number' ? { maxBytes: input } : expandShort(input, 'maxBytes'),
    TABLE,
    FOREIGN,
  );
}
