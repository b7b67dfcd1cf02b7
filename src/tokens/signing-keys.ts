/* The private keys that sign the tokens of this app. There may be several, for rotation: a new key is published before it signs, and an old
 * one until the last of its tokens has expired. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isRecord } from '../common/read-options.js';
import type { KeySetTimes } from './key-set.js';
import {
  isOfType,
  type Jwk,
  listKeys,
  readKeyId,
  repeatedKeyIds,
  thumbprint,
  type TokenKey,
  toTokenKey,
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
  readonly privateKey: KeyObject;
  /** When the key was created; the newest key signs. */
  readonly issuedMs: number;
  /** When the key begins to sign. It is published before. */
  readonly notBeforeMs: number;
  /** When the key is neither published nor accepted any more. */
  readonly expiresMs: number;
}

export const SIGNING_KEY_TIMES: KeySetTimes = {
  // A withdrawn key is accepted for at most this long, plus the time of one reading.
  maxAgeMs: 10_000,
  cooldownMs: 1_000,
  // While the app's own file cannot be read, the last good keys are used.
  staleMs: Infinity,
  patient: true,
};

/** @throws UnusableKeyError for a key that cannot sign */
export function readSigningKeys(set: unknown): readonly SigningKey[] {
  const keys = listKeys(set).map(readSigningKey);
  if (repeatedKeyIds(keys).size > 0) throw new UnusableKeyError('holds two keys with one ID');
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
  const kid = readKeyId(jwk, 'sign') ?? thumbprint(key);
  if (kid === '') throw new UnusableKeyError('has an empty "kid"');
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

/** The algorithm of a key that names none. */
function algorithmOf(key: KeyObject): string | undefined {
  return ['ES256', 'ES384', 'ES512', 'EdDSA', 'RS256'].find(alg => isOfType(key, alg));
}
