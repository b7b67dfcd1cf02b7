/* Keys that verify tokens, and the algorithms that each may be used with. */
import { createPublicKey, createSecretKey, hash, KeyObject } from 'node:crypto';
import { isRecord } from '../common/read-options.js';

/** A JSON Web Key (RFC 7517). */
export type Jwk = Readonly<Record<string, unknown>>;

export interface TokenKey {
  readonly kid: string | undefined;
  /** The `alg` of the JWK, the only algorithm it may be used with; `undefined` if it names none. */
  readonly alg: string | undefined;
  readonly key: KeyObject;
}

/** Says why a key cannot be used. */
export class UnusableKeyError extends Error {}

/** Verifying with a larger modulus takes milliseconds. */
const MAX_MODULUS_BITS = 8_192;
/** NIST SP 800-131A, RFC 7518 section 3.3. */
const MIN_MODULUS_BITS = 2_048;

/** Reads the public key of a JWK, also of a private one. @throws UnusableKeyError */
export function readPublicJwk(jwk: unknown): TokenKey {
  if (!isRecord(jwk)) throw new UnusableKeyError('is not a JSON Web Key');
  if (jwk['kty'] === 'oct') throw new UnusableKeyError('is a secret: set it as "secret"');
  const kid = readKeyId(jwk, 'verify');
  const { alg } = jwk;
  if (alg !== undefined && !(typeof alg === 'string' && PUBLIC_KEY_ALGORITHMS.has(alg))) {
    throw new UnusableKeyError('is for an algorithm that is not supported');
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk as import('node:crypto').JsonWebKey, format: 'jwk' });
  } catch {
    throw new UnusableKeyError('cannot be read');
  }
  return toTokenKey(key, { kid, alg });
}

/** The ID of a JWK that may be used for the operation. @throws UnusableKeyError */
export function readKeyId(jwk: Jwk, operation: 'verify' | 'sign'): string | undefined {
  const { kid, use, key_ops: operations } = jwk;
  if (kid !== undefined && typeof kid !== 'string')
    throw new UnusableKeyError('has a "kid" that is not a string');
  if (use !== undefined && use !== 'sig') throw new UnusableKeyError('is not for signatures ("use")');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes(operation))) {
    throw new UnusableKeyError(`is not for ${operation}ing ("key_ops")`);
  }
  return kid;
}

/** @throws UnusableKeyError for a key that is too weak or does not match its `alg` */
export function toTokenKey(key: KeyObject, { kid, alg }: Pick<TokenKey, 'kid' | 'alg'>): TokenKey {
  if (key.type !== 'public') throw new UnusableKeyError('is not public');
  if (![...PUBLIC_KEY_ALGORITHMS.keys()].some(each => isOfType(key, each))) {
    throw new UnusableKeyError('is of a type that is not supported');
  }
  if (alg !== undefined && !isOfType(key, alg)) throw new UnusableKeyError('does not match its "alg"');
  if (key.asymmetricKeyType === 'rsa') checkModulus(key);
  return { kid, alg, key };
}

function checkModulus({ asymmetricKeyDetails }: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails!;
  if (modulusLength < MIN_MODULUS_BITS) throw new UnusableKeyError(`has fewer than ${MIN_MODULUS_BITS} bits`);
  if (modulusLength > MAX_MODULUS_BITS) throw new UnusableKeyError(`has more than ${MAX_MODULUS_BITS} bits`);
  // With an exponent of 1, anyone can forge a signature.
  if (publicExponent < 3n || publicExponent % 2n === 0n)
    throw new UnusableKeyError('has an invalid public exponent');
}

/** Reads a secret that is shared with the issuer. @throws UnusableKeyError if it is too short for the algorithms */
export function readSecret(secret: unknown, algorithms: readonly string[]): TokenKey {
  if (isRecord(secret) && secret['kty'] === 'oct') return readSecretJwk(secret, algorithms);
  let key: KeyObject;
  if (secret instanceof KeyObject) key = secret;
  else if (typeof secret === 'string') key = createSecretKey(secret, 'utf8');
  else if (secret instanceof Uint8Array) key = createSecretKey(secret);
  else throw new UnusableKeyError('is not a secret');
  if (key.type !== 'secret') throw new UnusableKeyError('is not a secret');
  for (const alg of algorithms) {
    const bytes = SECRET_ALGORITHMS.get(alg) ?? 0;
    if (key.symmetricKeySize! < bytes) {
      throw new UnusableKeyError(`has fewer than the ${bytes * 8} bits that ${alg} needs`);
    }
  }
  return { kid: undefined, alg: undefined, key };
}

function readSecretJwk(jwk: Jwk, algorithms: readonly string[]): TokenKey {
  const kid = readKeyId(jwk, 'verify');
  const { alg, k } = jwk;
  if (typeof k !== 'string') throw new UnusableKeyError('is not a secret for signatures');
  const secret = Buffer.from(k, 'base64url');
  if (alg === undefined) return { ...readSecret(secret, algorithms), kid };
  if (typeof alg !== 'string' || !SECRET_ALGORITHMS.has(alg))
    throw new UnusableKeyError('is not a secret for signatures');
  return { ...readSecret(secret, [alg]), kid, alg };
}

/** Whether the type of the key matches the algorithm. */
export function isOfType(key: KeyObject, alg: string): boolean {
  if (key.type === 'secret') return SECRET_ALGORITHMS.has(alg);
  const wanted = PUBLIC_KEY_ALGORITHMS.get(alg);
  return (
    wanted !== undefined &&
    key.asymmetricKeyType === wanted.keyType &&
    (wanted.curve === undefined || key.asymmetricKeyDetails?.namedCurve === wanted.curve)
  );
}

/**
 * The keys that may have signed a token. A key that names an algorithm is used with no other (RFC 8725 section 3.1). A key without an ID
 * matches any ID.
 */
export function findKeys<K extends TokenKey>(
  keys: readonly K[],
  alg: string,
  kid: string | undefined,
): readonly K[] {
  return keys.filter(
    each =>
      (kid === undefined || each.kid === undefined || each.kid === kid) &&
      (each.alg === undefined || each.alg === alg) &&
      isOfType(each.key, alg),
  );
}

/** The IDs that two keys of one type share, which makes them ambiguous. */
export function repeatedKeyIds(keys: readonly TokenKey[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { kid, key } of keys) {
    if (kid === undefined) continue;
    const id = `${key.asymmetricKeyType ?? 'secret'} ${kid}`;
    if (seen.has(id)) repeated.add(kid);
    seen.add(id);
  }
  return repeated;
}

const MAX_KEYS = 100;

/** The inputs of one key, a list, or a JWK set. @throws UnusableKeyError for none, or too many */
export function listKeys(input: unknown): readonly unknown[] {
  const keys: unknown = isRecord(input) && Array.isArray(input['keys']) ? input['keys'] : input;
  const inputs: readonly unknown[] = Array.isArray(keys) ? keys : [keys];
  if (inputs.length >= 1 && inputs.length <= MAX_KEYS) return inputs;
  throw new UnusableKeyError(`must hold 1 to ${MAX_KEYS} keys`);
}

/** RFC 7638: the required members in lexicographic order. */
export function thumbprint(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' });
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y };
  return hash('sha256', JSON.stringify(members), 'base64url');
}

/**
 * The signature algorithms of public keys, with Node's names of the key's type and curve (RFC 7518 section 3.1, RFC 8037, RFC 9864). `none`
 * is not among them.
 */
export const PUBLIC_KEY_ALGORITHMS: ReadonlyMap<
  string,
  { readonly keyType: 'rsa' | 'ec' | 'ed25519'; readonly curve?: string }
> = new Map([
  ['ES256', { keyType: 'ec', curve: 'prime256v1' }],
  ['ES384', { keyType: 'ec', curve: 'secp384r1' }],
  ['ES512', { keyType: 'ec', curve: 'secp521r1' }],
  ['EdDSA', { keyType: 'ed25519' }],
  ['Ed25519', { keyType: 'ed25519' }],
  ['PS256', { keyType: 'rsa' }],
  ['PS384', { keyType: 'rsa' }],
  ['PS512', { keyType: 'rsa' }],
  ['RS256', { keyType: 'rsa' }],
  ['RS384', { keyType: 'rsa' }],
  ['RS512', { keyType: 'rsa' }],
]);

/** Each with the minimum length of its secret, in bytes (RFC 7518 section 3.2). */
export const SECRET_ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
]);
