/* Parses a signed token (JWS compact serialization, RFC 7515 section 7.1) strictly, so that each token has one spelling. */
import { readJsonObject } from './read-form.js';

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
  if (parts === null) return undefined;
  const [, headerPart = '', payloadPart = '', signaturePart = ''] = parts;
  if (![headerPart, payloadPart, signaturePart].every(isCanonical)) return undefined;
  const header = readJsonObject(Buffer.from(headerPart, 'base64url'));
  if (header === undefined) return undefined;
  const { alg, kid, typ } = header;
  // Critical extensions (RFC 7515 section 4.1.11) and unencoded payloads (RFC 7797) are not supported.
  if (header['crit'] !== undefined || header['b64'] !== undefined) return undefined;
  if (typeof alg !== 'string') return undefined;
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KEY_ID_LENGTH)) return undefined;
  if (typ !== undefined && typeof typ !== 'string') return undefined;
  return {
    alg,
    kid,
    typ: typ === undefined ? undefined : normalizeType(typ),
    header,
    payload: Buffer.from(payloadPart, 'base64url'),
  };
}

/** `application/at+jwt` and `AT+JWT` become `at+jwt`. */
export function normalizeType(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
}

/** Whether the unused bits of base64url are zero. Otherwise one token would have many spellings, which caches and deny lists miss. */
function isCanonical(part: string): boolean {
  const last = part.at(-1)!;
  switch (part.length % 4) {
    case 1:
      return false;
    case 2:
      return 'AQgw'.includes(last);
    case 3:
      return 'AEIMQUYcgkosw048'.includes(last);
    default:
      return true;
  }
}
