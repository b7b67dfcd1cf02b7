/* The outer form of a signed token (JWS compact serialization, RFC 7515 section 7.1), read strictly: one token, one spelling. */
import { readJsonObject } from './read-json.js';

export interface Jws {
  readonly alg: string;
  readonly kid: string | undefined;
  /** Lower case, without `application/` (RFC 7515 section 4.1.9). */
  readonly typ: string | undefined;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Buffer;
}

/** Far above what a token with a list of tools needs, far below what would make its parsing a cost. */
const MAX_LENGTH = 8_192;
const MAX_KEY_ID_LENGTH = 256;

const COMPACT = /^([\w-]+)\.([\w-]*)\.([\w-]+)$/;

/** `undefined` for everything that is no token, or that asks for what is not understood. */
export function readJws(token: string): Jws | undefined {
  const parts = token.length > MAX_LENGTH ? null : COMPACT.exec(token);
  if (parts === null) return undefined;
  const [, headerPart = '', payloadPart = '', signaturePart = ''] = parts;
  if (![headerPart, payloadPart, signaturePart].every(isCanonical)) return undefined;
  const header = readJsonObject(Buffer.from(headerPart, 'base64url'));
  if (header === undefined) return undefined;
  const { alg, kid, typ } = header;
  // An extension that must be understood (RFC 7515 section 4.1.11), or a payload that is signed in another form (RFC 7797).
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

/** `application/at+jwt` and `AT+JWT` are `at+jwt`. */
export function normalizeType(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
}

/** Base64url whose unused bits are zero: else many spellings would be one token, and lists of seen or revoked ones would miss. */
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
