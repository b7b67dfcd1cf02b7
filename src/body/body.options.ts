import { readChoice, readInteger, readObject, receivedError } from '../common/read-options.js';

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

export interface ResolvedBody {
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxKeys: number;
  readonly duplicateKeys: 'reject' | 'allow';
}

export const DEFAULT_MAX_KEYS = 10_000;

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

export function resolveBody(input: unknown): ResolvedBody | false {
  if (input === false) return false;
  const options = readObject('body', input, ['maxBytes', 'maxDepth', 'maxKeys', 'duplicateKeys']);
  return {
    maxBytes: readBytes('body.maxBytes', options.maxBytes, 10 * 1024 ** 2),
    maxDepth: readInteger('body.maxDepth', options.maxDepth, 64, { min: 1, max: 10_000 }),
    maxKeys: readInteger('body.maxKeys', options.maxKeys, DEFAULT_MAX_KEYS, { min: 1, max: 1_000_000 }),
    duplicateKeys: readChoice('body.duplicateKeys', options.duplicateKeys, ['reject', 'allow'], 'reject'),
  };
}

export function readBytes(option: string, value: unknown, fallback: number): number {
  if (typeof value !== 'string')
    return readInteger(option, value, fallback, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const match = /^(\d{1,12}) ?(b|kb|mb|gb)$/i.exec(value);
  if (match) return Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a number of bytes or a size',
    'Write for example "512kb" or "10mb".',
    value,
  );
}
