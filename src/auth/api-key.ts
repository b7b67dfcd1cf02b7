/* API keys: their format `ask_<id>_<secret><checksum>`, and the digests that a store holds in place of secrets. Secret scanners find keys by
 * the prefix. The checksum rejects typos and look-alikes before the store is read. */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const ID_LENGTH = 16;
/** 62^43 is just above 2^256. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const SECRET_BYTES = 32;
/** 16 base62 digits hold 95 of these 96 bits. */
const ID_BYTES = 12;

export const DEFAULT_PREFIX = 'ask';

/** A prefix contains no underscore, which separates it from the ID. */
export const PREFIX_FORM = /^[a-z][a-z0-9]{1,15}$/;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE62 = /^[0-9A-Za-z]+$/;

interface ApiKeyParts {
  /** Public: it identifies the key in stores, logs and events. */
  readonly id: string;
  /** 256 bits. Never stored, never logged. */
  readonly secret: string;
}

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
  if (text[secretAt - 1] !== '_' || text.slice(end) !== checksum(text.slice(0, end))) return undefined;
  const id = text.slice(idAt, secretAt - 1);
  const secret = text.slice(secretAt, end);
  return BASE62.test(id) && BASE62.test(secret) ? { id, secret } : undefined;
}

/** Whether a credential has the prefix of a key, so that it is not verified as a token. */
export function looksLikeApiKey(text: string, prefix: string): boolean {
  return text.charCodeAt(prefix.length) === 0x5f && text.startsWith(prefix);
}

/** Without `BigInt`: it is computed for each request. */
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

/* ---- digests ---- */

const DIGEST_FORM = /^v1\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]{43})$/;
const DIGEST_BYTES = 32;

/** The shortest pepper, in characters, that cannot be guessed. */
export const MIN_PEPPER_LENGTH = 32;

export function isKeyDigest(text: string): boolean {
  return DIGEST_FORM.test(text);
}

/**
 * Creates and compares HMAC-SHA-256 digests of API keys, with peppers of at least 32 characters. New digests use the first pepper; the
 * others are those of older digests. Use it to create records for a key store of your own. A stolen store contains no key, and guesses
 * cannot be tested without the pepper, which is kept elsewhere.
 * @example
 * const digests = new KeyDigests([newPepper, oldPepper]);
 * const digest = digests.create({ id, secret });
 */
export class KeyDigests {
  readonly #peppers: ReadonlyMap<string, KeyObject>;
  readonly #newest: string;
  /** Compared in place of a missing digest. */
  readonly #dummy: string;

  constructor(peppers: readonly string[]) {
    const keys = peppers.map(pepper => createSecretKey(Buffer.from(pepper, 'utf8')));
    this.#peppers = new Map(keys.map(key => [pepperId(key), key]));
    this.#newest = pepperId(keys[0]!);
    this.#dummy = `v1.${this.#newest}.${randomBytes(DIGEST_BYTES).toString('base64url')}`;
  }

  create(parts: ApiKeyParts): string {
    const digest = hmac(this.#peppers.get(this.#newest)!, parts).toString('base64url');
    return `v1.${this.#newest}.${digest}`;
  }

  /**
   * Whether `stored` is the digest of the key. A missing digest, and one of an unknown pepper, is compared in the same steps as one that
   * differs: with the dummy digest, and with one HMAC per pepper.
   */
  matches(stored: string | undefined, parts: ApiKeyParts): boolean {
    const own = new Map<string, Buffer>();
    for (const [id, pepper] of this.#peppers) own.set(id, hmac(pepper, parts));
    const match = DIGEST_FORM.exec(stored ?? this.#dummy) ?? DIGEST_FORM.exec(this.#dummy)!;
    const known = own.get(match[1]!);
    const equal = timingSafeEqual(known ?? own.get(this.#newest)!, Buffer.from(match[2]!, 'base64url'));
    return equal && stored !== undefined && known !== undefined;
  }
}

/** The ID is part of the message: a digest that is copied to another key's record matches no key. */
function hmac(key: KeyObject, { id, secret }: ApiKeyParts): Buffer {
  return createHmac('sha256', key).update(`${id}.${secret}`, 'latin1').digest();
}

/** Identifies a pepper without revealing it. */
function pepperId(key: KeyObject): string {
  return createHmac('sha256', key).update('nestjs-agent-security pepper id').digest('base64url').slice(0, 8);
}
