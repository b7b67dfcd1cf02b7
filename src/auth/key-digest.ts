/* Keyed digests of API keys, which a store holds in place of secrets. A stolen store contains no key, and guesses cannot be tested without
 * the pepper, which is kept elsewhere. */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ApiKeyParts } from './api-key-format.js';

const FORM = /^v1\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]{43})$/;
const DIGEST_BYTES = 32;

/** The shortest pepper, in characters, that cannot be guessed. */
export const MIN_PEPPER_LENGTH = 32;

/** Whether a text has the format of a stored digest. */
export function isKeyDigest(text: string): boolean {
  return FORM.test(text);
}

/**
 * Creates and compares HMAC-SHA-256 digests of API keys, with peppers of at least 32 characters. New digests use the first pepper; the
 * others are those of older digests. Use it to create records for a key store of your own.
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
    const match = FORM.exec(stored ?? this.#dummy) ?? FORM.exec(this.#dummy)!;
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
