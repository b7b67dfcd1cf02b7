import { randomUUID } from 'node:crypto';
import { readFunction, readObject, readString, receivedError } from '../common/read-options.js';

export interface RequestIdOptions {
  /** The header that is read and sent: the name of a header, at most 64 characters. @default 'X-Request-ID' */
  header?: string;
  /**
   * Which incoming IDs are kept: `true` for those of the default form, `false` for none, or a pattern of your own. An ID that comes
   * twice, is longer than 128 characters or has anything but visible ASCII is always replaced.
   *
   * Note: a pattern without `^` and `$` accepts everything that contains a match.
   * @default true: `^[\w.:@+=-]{1,128}$`
   */
  accept?: boolean | RegExp;
  /**
   * Makes an ID where no acceptable one came. A result that is not 1 to 128 visible ASCII characters is replaced by a UUID.
   * @default a random UUID (version 4)
   */
  generate?: () => string;
}

export interface ResolvedRequestId {
  readonly header: string;
  /** The header's name as Node gives it. */
  readonly lowerCaseHeader: string;
  readonly accept: RegExp | undefined;
  readonly generate: () => string;
}

export const DEFAULT_REQUEST_ID_HEADER = 'X-Request-ID';

/** Headers with a meaning of their own: a client must not choose them by choosing an ID, nor read a credential as one. */
const RESERVED =
  /^(?:proxy-|content-|access-control-|cross-origin-|sec-|x-forwarded-|(?:x-)?ratelimit|(?:authorization|cookie|set-cookie|host|origin|vary|cache-control|connection|date|etag|expires|location|server|te|trailer|transfer-encoding|upgrade|retry-after|www-authenticate|x-api-key|strict-transport-security|referrer-policy|permissions-policy|x-frame-options|forwarded)$)/i;

const DEFAULT_PATTERN = /^[\w.:@+=-]{1,128}$/;

export function resolveRequestId(input: unknown): ResolvedRequestId | false {
  if (input === false) return false;
  const options = readObject('requestId', input, ['header', 'accept', 'generate']);
  const header = readString('requestId.header', options.header, DEFAULT_REQUEST_ID_HEADER);
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(header) || RESERVED.test(header)) {
    throw receivedError(
      'ASEC_REQUEST_ID_HEADER',
      'requestId.header',
      'must be a header name that has no meaning of its own',
      'Write for example "X-Request-ID" or "X-Correlation-ID".',
      header,
    );
  }
  return {
    header,
    lowerCaseHeader: header.toLowerCase(),
    accept: resolveAccept(options.accept),
    generate: checked(readFunction<() => unknown>('requestId.generate', options.generate)),
  };
}

/** What may stand in a header and in a log line, whatever a custom pattern says: it stops forged lines and headers. */
export const SAFE_ID = /^[\x21-\x7e]{1,128}$/;

function checked(generate: (() => unknown) | undefined): () => string {
  if (generate === undefined) return randomUUID;
  return () => {
    let id: unknown;
    try {
      id = generate();
    } catch {
      // A request without an ID of the app's own making is still to be answered.
    }
    return typeof id === 'string' && SAFE_ID.test(id) ? id : randomUUID();
  };
}

function resolveAccept(accept: unknown): RegExp | undefined {
  if (accept === undefined || accept === true) return DEFAULT_PATTERN;
  if (accept === false) return undefined;
  // Without g and y: those flags make a pattern remember, so that it would take every other ID.
  if (accept instanceof RegExp) return new RegExp(accept.source, accept.flags.replace(/[gy]/g, ''));
  throw receivedError(
    'ASEC_OPTION_TYPE',
    'requestId.accept',
    'must be true, false or a regular expression',
    'Pass for example /^[0-9a-f-]{36}$/.',
    accept,
  );
}
