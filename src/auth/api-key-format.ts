/* The format of an API key: `ask_<id>_<secret><checksum>`. Secret scanners find keys by the prefix. The checksum rejects typos and
 * look-alikes before the store is read. */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const ID_LENGTH = 16;
/** 62^43 is just above 2^256. */
export const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const SECRET_BYTES = 32;
/** 16 base62 digits hold 95 of these 96 bits. */
const ID_BYTES = 12;

export const DEFAULT_PREFIX = 'ask';

export interface ApiKeyParts {
  /** Public: it identifies the key in stores, logs and events. */
  readonly id: string;
  /** 256 bits. Never stored, never logged. */
  readonly secret: string;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A prefix contains no underscore, which separates it from the ID. */
export const PREFIX_FORM = /^[a-z][a-z0-9]{1,15}$/;

/** @param id the ID of an existing key, to create another secret for it */
export function createApiKey(
  prefix: string,
  id = encode(randomBytes(ID_BYTES), ID_LENGTH),
): ApiKeyParts & { readonly text: string } {
  const secret = encode(randomBytes(SECRET_BYTES), SECRET_LENGTH);
  const body = `${prefix}_${id}_${secret}`;
  return { id, secret, text: body + checksum(body) };
}

/** Reads a key with the given prefix; `undefined` for any other text. Only characters and checksum are checked. */
export function readApiKey(text: string, prefix: string): ApiKeyParts | undefined {
  const idAt = prefix.length + 1;
  const secretAt = idAt + ID_LENGTH + 1;
  const end = secretAt + SECRET_LENGTH;
  if (text.length !== end + CHECKSUM_LENGTH || !looksLikeApiKey(text, prefix)) return undefined;
  if (text[secretAt - 1] !== '_') return undefined;
  const body = text.slice(0, end);
  if (text.slice(end) !== checksum(body)) return undefined;
  const id = text.slice(idAt, secretAt - 1);
  const secret = text.slice(secretAt, end);
  return isBase62(id) && isBase62(secret) ? { id, secret } : undefined;
}

/** Whether a credential has the prefix of a key, so that it is not verified as a token. */
export function looksLikeApiKey(text: string, prefix: string): boolean {
  return text.charCodeAt(prefix.length) === 0x5f && text.startsWith(prefix);
}

const BASE62 = /^[0-9A-Za-z]+$/;
const isBase62 = (text: string): boolean => BASE62.test(text);

function checksum(body: string): string {
  let rest = crc32(body);
  let text = '';
  for (let digit = 0; digit < CHECKSUM_LENGTH; digit++) {
    text = DIGITS[rest % 62]! + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

function encode(bytes: Buffer, length: number): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (let digit = 0; digit < length; digit++) {
    text = DIGITS[Number(rest % 62n)]! + text;
    rest /= 62n;
  }
  return text;
}
