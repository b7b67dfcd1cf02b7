import { randomUUID } from 'node:crypto';
import { isToken } from '../common/http-request.js';
import { renamed } from '../common/foreign-names.js';
import {
  expandShort,
  fn,
  mapped,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import { readString, receivedError } from '../common/read-options.js';

/**
 * The request ID.
 * @example
 * AgentSecurityModule.forRoot({ requestId: { header: 'X-Correlation-ID', accept: false } })
 */
export interface RequestIdOptions {
  /**
   * The header of the ID, in requests and responses: the name of a header without a meaning of its own, at most 64 characters.
   * @default 'X-Request-ID'
   */
  header?: string;
  /**
   * Which incoming IDs are kept: `true` for the default pattern, `false` for none, or a pattern of your own. An ID is always replaced if
   * it is sent twice, is longer than 128 characters, or contains anything but visible ASCII characters.
   *
   * Note: a pattern without `^` and `$` accepts every ID that contains a match.
   * @default true: `^[\w.:@+=-]{1,128}$`
   */
  accept?: boolean | RegExp;
  /**
   * Creates an ID for requests without an accepted one: 1 to 128 visible ASCII characters. Other results and errors give a UUID.
   * @default a random UUID (version 4)
   */
  generate?: () => string;
}

const DEFAULT_REQUEST_ID_HEADER = 'X-Request-ID';

/** Headers with another meaning: a client must not set them through the ID, and no credential must become the ID. */
const RESERVED =
  /^(?:proxy-|content-|access-control-|cross-origin-|sec-|x-forwarded-|(?:x-)?ratelimit|(?:authorization|cookie|set-cookie|host|origin|vary|cache-control|connection|date|etag|expires|location|server|te|trailer|transfer-encoding|upgrade|retry-after|www-authenticate|x-api-key|strict-transport-security|referrer-policy|permissions-policy|x-frame-options|forwarded)$)/i;

const DEFAULT_PATTERN = /^[\w.:@+=-]{1,128}$/;

const TABLE = {
  header: readHeader,
  accept: readAccept,
  generate: mapped(fn<() => unknown>(), withSafeResult),
} satisfies OptionTable<RequestIdOptions>;

export interface ResolvedRequestId extends Resolved<typeof TABLE> {
  /** The header's name as Node gives it. */
  readonly lowerCaseHeader: string;
}

/** The resolved option; `false` where it is off. */
export const RESOLVED_REQUEST_ID = Symbol('agent-security:resolved-request-id');

export function resolveRequestId(input: unknown): ResolvedRequestId | false {
  if (input === false) return false;
  const options = readTable('requestId', expandShort(input, 'header'), TABLE, {
    headerName: renamed('header'),
    requestIdHeader: renamed('header'),
    genReqId: renamed('generate'),
    generator: renamed('generate'),
  });
  return { ...options, lowerCaseHeader: options.header.toLowerCase() };
}

function readHeader(option: string, value: unknown): string {
  const header = readString(option, value, DEFAULT_REQUEST_ID_HEADER);
  if (isToken(header) && header.length <= 64 && !RESERVED.test(header)) return header;
  throw receivedError(
    'ASEC_REQUEST_ID_HEADER',
    option,
    'must be a header name that has no meaning of its own',
    'Write for example "X-Request-ID" or "X-Correlation-ID".',
    header,
  );
}

/** Applies beside a custom pattern, so that an ID cannot forge log lines or headers. */
const SAFE_ID = /^[\x21-\x7e]{1,128}$/;

function withSafeResult(generate: (() => unknown) | undefined): () => string {
  if (generate === undefined) return randomUUID;
  return () => {
    let id: unknown;
    try {
      id = generate();
    } catch {
      // Falls back to a UUID.
    }
    return typeof id === 'string' && SAFE_ID.test(id) ? id : randomUUID();
  };
}

function readAccept(option: string, accept: unknown): RegExp | undefined {
  if (accept === undefined || accept === true) return DEFAULT_PATTERN;
  if (accept === false) return undefined;
  // Without the flags g and y, which make `test()` stateful: every other ID would be rejected.
  if (accept instanceof RegExp) return new RegExp(accept.source, accept.flags.replace(/[gy]/g, ''));
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be true, false or a regular expression',
    'Pass for example /^[0-9a-f-]{36}$/.',
    accept,
  );
}

/** Returns the incoming ID if it is accepted and was sent once, else a new one. A rejected ID is not used anywhere. */
export function chooseRequestId(incoming: string | string[] | undefined, options: ResolvedRequestId): string {
  const { accept } = options;
  if (
    typeof incoming === 'string' &&
    accept !== undefined &&
    SAFE_ID.test(incoming) &&
    accept.test(incoming)
  ) {
    return incoming;
  }
  return options.generate();
}
