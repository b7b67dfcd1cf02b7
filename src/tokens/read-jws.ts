/* Parses signed tokens (JWS compact serialization, RFC 7515 section 7.1) strictly, so that each token has one spelling. `jose` verifies their
 * signatures. */
import { checkParsedBody } from '../body/check-body.js';
import { isRecord } from '../common/read-options.js';
import { parseStrictJson } from '../common/strict-json.js';

/** The functions of `jose` that are used. The package is loaded only if tokens are configured. */
export type Jose = Pick<typeof import('jose'), 'compactVerify' | 'CompactSign'>;

export function loadJose(): Promise<Jose> {
  return import('jose');
}

export interface Jws {
  readonly alg: string;
  readonly kid: string | undefined;
  /** Lower case, without `application/` (RFC 7515 section 4.1.9). */
  readonly typ: string | undefined;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Buffer;
}

/** Enough for a token with a list of tools, and too little to make parsing expensive. */
const MAX_LENGTH = 8_192;
const MAX_KEY_ID_LENGTH = 256;

const COMPACT = /^([\w-]+)\.([\w-]*)\.([\w-]+)$/;

/** `undefined` for invalid tokens and for unsupported extensions. */
export function readJws(token: string): Jws | undefined {
  const parts = token.length > MAX_LENGTH ? null : COMPACT.exec(token);
  if (parts === null || !parts.slice(1).every(isCanonical)) return undefined;
  const [, headerPart = '', payloadPart = ''] = parts;
  const header = readJsonObject(Buffer.from(headerPart, 'base64url'));
  // Critical extensions (RFC 7515 section 4.1.11) and unencoded payloads (RFC 7797) are not supported.
  if (header === undefined || header['crit'] !== undefined || header['b64'] !== undefined) return undefined;
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string') return undefined;
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KEY_ID_LENGTH)) return undefined;
  if (typ !== undefined && typeof typ !== 'string') return undefined;
  const payload = Buffer.from(payloadPart, 'base64url');
  // An empty type is not the same as none, which a preset may allow.
  return typ === '' ? undefined : { alg, kid, typ: typ && normalizeType(typ), header, payload };
}

/** `application/at+jwt` and `AT+JWT` become `at+jwt`. */
export function normalizeType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}

/** The unused bits at the end of base64url, by the length of the last group: characters in which they are zero. */
const LAST_CHARACTERS = [undefined, '', 'AQgw', 'AEIMQUYcgkosw048'];

/** Whether the unused bits of base64url are zero. Otherwise one token would have many spellings, which caches and deny lists miss. */
function isCanonical(part: string): boolean {
  return LAST_CHARACTERS[part.length % 4]?.includes(part.at(-1)!) ?? true;
}

/** Claims and headers are small and flat. The length of a token is bounded as well. */
const MAX_DEPTH = 64;
const MAX_KEYS = 10_000;

/**
 * Parses a JSON object strictly; `undefined` for anything else, for duplicate names (RFC 7519 section 4, RFC 8725 section 2.4), and for
 * prototype-polluting keys.
 */
export function readJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  const json = parseStrictJson(bytes, MAX_DEPTH, MAX_KEYS);
  if (!json.valid || !isRecord(json.value)) return undefined;
  return checkParsedBody(json.value, MAX_DEPTH) === undefined ? json.value : undefined;
}
