/* The text of an API key: `ask_<id>_<secret><checksum>`. The prefix lets secret scanners find it in a repository, the checksum tells
 * a key from a look-alike and a typo from a guess before anything is looked up. */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const ID_LENGTH = 16;
/** 62^43 is just above 2^256. */
export const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const SECRET_BYTES = 32;
/** 95 bits' worth: what 16 digits hold of it. */
const ID_BYTES = 12;

export const DEFAULT_PREFIX = 'ask';

export interface ApiKeyParts {
  /** Public: it names the key in stores, logs and events. */
  readonly id: string;
  /** 256 bits. Never stored, never logged. */
  readonly secret: string;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** What a prefix may be: nothing that would be read as a part of what follows. */
export const PREFIX_FORM = /^[a-z][a-z0-9]{1,15}$/;

/** @param id of a key that exists, for another secret of it */
export function createApiKey(
  prefix: string,
  id = encode(randomBytes(ID_BYTES), ID_LENGTH),
): ApiKeyParts & { readonly text: string } {
  const secret = encode(randomBytes(SECRET_BYTES), SECRET_LENGTH);
  const body = `${prefix}_${id}_${secret}`;
  return { id, secret, text: body + checksum(body) };
}

/** Reads a key of a prefix; `undefined` for every other text. Only characters and checksum are looked at. */
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

/** Whether a credential means to be a key, so that nobody else is asked about it. */
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
