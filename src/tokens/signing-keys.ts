/* The private keys that sign the tokens of this app. There may be several, for rotation: a new key is published before it signs, and an old
 * one until the last of its tokens has expired. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isRecord } from '../common/read-options.js';
import type { KeySetTimes } from './key-set.js';
import {
  isOfType,
  type Jwk,
  repeatedKeyIds,
  toTokenKey,
  type TokenKey,
  UnusableKeyError,
} from './token-key.js';

/**
 * A private key: a JWK, PEM text or a KeyObject.
 * @example
 * const key: SigningKeyInput = await readFile('signing-key.pem', 'utf8');
 */
export type SigningKeyInput = string | KeyObject | Jwk;
/**
 * The keys that sign tokens: a key, several keys, or a JWK set.
 * @example
 * const keys: SigningKeySet = [newKey, oldKey];
 */
export type SigningKeySet = SigningKeyInput | readonly SigningKeyInput[] | { readonly keys: readonly Jwk[] };

export interface SigningKey extends TokenKey {
  readonly kid: string;
  readonly alg: string;
  /** The public key, for verification. */
  readonly key: KeyObject;
  readonly privateKey: KeyObject;
  /** When the key was created; the newest key signs. */
  readonly issuedMs: number;
  /** When the key begins to sign. It is published before. */
  readonly notBeforeMs: number;
  /** When the key is neither published nor accepted any more. */
  readonly expiresMs: number;
}

/** A withdrawn key is accepted for at most this long, plus the time of one reading. */
export const SIGNING_KEYS_MAX_AGE_MS = 10_000;

export const SIGNING_KEY_TIMES: KeySetTimes = {
  maxAgeMs: SIGNING_KEYS_MAX_AGE_MS,
  cooldownMs: 1_000,
  // While the app's own file cannot be read, the last good keys are used.
  staleMs: Infinity,
  patient: true,
};

const ALGORITHM_OF_CURVE: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};
const MAX_KEYS = 100;

/** @throws UnusableKeyError for a key that cannot sign */
export function readSigningKeys(set: unknown): readonly SigningKey[] {
  const inputs = isRecord(set) && Array.isArray(set['keys']) ? (set['keys'] as unknown[]) : [set].flat();
  if (inputs.length === 0 || inputs.length > MAX_KEYS) {
    throw new UnusableKeyError(`must hold 1 to ${MAX_KEYS} keys`);
  }
  const keys = inputs.map(readSigningKey);
  const [repeated] = repeatedKeyIds(keys);
  if (repeated !== undefined) throw new UnusableKeyError('holds two keys with one ID');
  return keys;
}

/** Reads a file of keys: PEM, a JWK or a JWK set. @throws UnusableKeyError */
export async function readSigningKeyFile(path: string): Promise<readonly SigningKey[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UnusableKeyError(`cannot be read (${String((error as NodeJS.ErrnoException).code)})`);
  }
  if (text.trimStart().startsWith('-----BEGIN')) return readSigningKeys(text);
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new UnusableKeyError('is neither PEM nor JSON');
  }
  return readSigningKeys(set);
}

/** A key that only this process has. */
export function createEphemeralKey(): SigningKey {
  return readSigningKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
}

/** The newest key that is valid now; `undefined` if there is none. */
export function chooseSigningKey(keys: readonly SigningKey[], nowMs: number): SigningKey | undefined {
  let chosen: SigningKey | undefined;
  for (const key of keys) {
    if (key.notBeforeMs > nowMs || key.expiresMs <= nowMs) continue;
    // Of keys of the same age, the last: new keys are appended.
    if (chosen === undefined || key.issuedMs >= chosen.issuedMs) chosen = key;
  }
  return chosen;
}

export function publicKeySet(keys: readonly SigningKey[], nowMs: number): { readonly keys: readonly Jwk[] } {
  return {
    keys: keys
      .filter(({ expiresMs }) => expiresMs > nowMs)
      .map(({ key, kid, alg }) => ({ ...key.export({ format: 'jwk' }), kid, alg, use: 'sig' })),
  };
}

function readSigningKey(input: unknown): SigningKey {
  const privateKey = readPrivateKey(input);
  const jwk: Jwk = isRecord(input) && !(input instanceof KeyObject) ? input : {};
  const key = createPublicKey(privateKey);
  const alg = jwk['alg'] ?? algorithmOf(key);
  if (typeof alg !== 'string') throw new UnusableKeyError('is of a type that is not supported');
  const kid = jwk['kid'] ?? thumbprint(key);
  if (typeof kid !== 'string' || kid === '') throw new UnusableKeyError('has a "kid" that is not a string');
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig')
    throw new UnusableKeyError('is not for signatures ("use")');
  const operations = jwk['key_ops'];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('sign'))) {
    throw new UnusableKeyError('is not for signing ("key_ops")');
  }
  if (!isOfType(key, alg)) throw new UnusableKeyError('does not match its "alg"');
  return {
    ...toTokenKey(key, { kid, alg }),
    kid,
    alg,
    privateKey,
    issuedMs: readTime(jwk, 'iat', 0),
    notBeforeMs: readTime(jwk, 'nbf', -Infinity),
    expiresMs: readTime(jwk, 'exp', Infinity),
  };
}

function readPrivateKey(input: unknown): KeyObject {
  let key: KeyObject;
  try {
    if (input instanceof KeyObject) key = input;
    else if (typeof input === 'string') key = createPrivateKey(input);
    else key = createPrivateKey({ key: input as import('node:crypto').JsonWebKey, format: 'jwk' });
  } catch {
    throw new UnusableKeyError('is not a readable private key');
  }
  if (key.type !== 'private') throw new UnusableKeyError('is not a private key');
  return key;
}

/** A NumericDate, in milliseconds. */
function readTime(jwk: Jwk, name: string, fallback: number): number {
  const value = jwk[name];
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new UnusableKeyError(`has a "${name}" that is not a number of seconds`);
  }
  return value * 1_000;
}

function algorithmOf(key: KeyObject): string | undefined {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return ALGORITHM_OF_CURVE[key.asymmetricKeyDetails?.namedCurve ?? ''];
    case 'ed25519':
      return 'EdDSA';
    case 'rsa':
      return 'RS256';
    default:
      return undefined;
  }
}

/** RFC 7638: the required members in lexicographic order. */
function thumbprint(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' });
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, ...(y === undefined ? {} : { y }) };
  return hash('sha256', JSON.stringify(members), 'base64url');
}
