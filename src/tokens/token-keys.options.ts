/* The keys of `auth.tokens`: public keys, shared secrets, or the URL of a key set. */
import { createPublicKey, KeyObject } from 'node:crypto';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { readHttpsUrl } from '../common/read-url.js';
import { show } from '../common/show-value.js';
import {
  findKeys,
  type Jwk,
  listKeys,
  readPublicJwk,
  readSecret,
  repeatedKeyIds,
  SECRET_ALGORITHMS,
  type TokenKey,
  toTokenKey,
  UnusableKeyError,
} from './token-key.js';

/**
 * A public key: a JWK, PEM text or a KeyObject.
 * @example
 * const keys: PublicKeyInput = await readFile('issuer.pem', 'utf8');
 */
export type PublicKeyInput = string | KeyObject | Jwk;
/**
 * A shared secret: text, bytes, a KeyObject or a JWK of type `oct`.
 * @example
 * const secrets: SecretInput[] = [Buffer.from(newSecret, 'base64'), Buffer.from(oldSecret, 'base64')];
 */
export type SecretInput = string | Uint8Array | KeyObject | Jwk;

export interface ResolvedTokenKeys {
  readonly keys: readonly TokenKey[];
  readonly jwks: { readonly uri: URL; readonly maxAgeMs: number } | undefined;
}

/** @throws AgentSecurityConfigError, whose message contains no key */
export function readTokenKeys(
  option: string,
  options: Readonly<Record<'keys' | 'secret' | 'jwksUri', unknown>> & {
    readonly algorithms: readonly string[];
    readonly jwksMaxAge: number;
  },
): ResolvedTokenKeys {
  const { algorithms, jwksUri } = options;
  const symmetric = SECRET_ALGORITHMS.has(algorithms[0]!);
  const given = (['keys', 'secret', 'jwksUri'] as const).filter(name => options[name] !== undefined);
  const fitting = symmetric ? ['secret'] : ['keys', 'jwksUri'];
  const [name] = given;
  if (name === undefined || given.length > 1 || !fitting.includes(name)) {
    throw new AgentSecurityConfigError(
      'ASEC_TOKEN_KEY',
      option,
      `must have one source of keys for ${algorithms.join(', ')}, received ${given.join(' and ') || 'none'}`,
      `Set ${fitting.map(each => `"${each}"`).join(' or ')} only.`,
    );
  }
  if (jwksUri !== undefined) {
    const uri = new URL(readHttpsUrl(`${option}.jwksUri`, jwksUri));
    return { keys: [], jwks: { uri, maxAgeMs: options.jwksMaxAge } };
  }
  const path = `${option}.${name}`;
  const inputs = readKeys(path, () => listKeys(options[name]));
  const keys = inputs.map((input, index) =>
    readKeys(inputs.length === 1 ? path : `${path}[${index}]`, () => {
      const key = symmetric ? readSecret(input, algorithms) : readPublicKey(input);
      if (algorithms.some(alg => findKeys([key], alg, undefined).length > 0)) return key;
      throw new UnusableKeyError('matches none of the algorithms');
    }),
  );
  const [repeated] = repeatedKeyIds(keys);
  if (repeated !== undefined) throw keyError(path, `has two keys with the ID ${show(repeated)}`);
  return { keys, jwks: undefined };
}

function readPublicKey(input: unknown): TokenKey {
  const unnamed = { kid: undefined, alg: undefined };
  if (input instanceof KeyObject) {
    return toTokenKey(input.type === 'private' ? createPublicKey(input) : input, unnamed);
  }
  if (typeof input !== 'string') return readPublicJwk(input);
  let key: KeyObject;
  try {
    key = createPublicKey(input);
  } catch {
    throw new UnusableKeyError('is not a public key in PEM');
  }
  return toTokenKey(key, unnamed);
}

/** Calls `read`, and names the option in the error of an unusable key. */
export function readKeys<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnusableKeyError) throw keyError(option, error.message);
    throw error;
  }
}

export function keyError(option: string, problem: string): AgentSecurityConfigError {
  return new AgentSecurityConfigError(
    'ASEC_TOKEN_KEY',
    option,
    problem,
    'Pass a JWK, PEM text or a KeyObject of a type that the algorithms use: EC, Ed25519, or RSA of 2048 bits and more.',
  );
}
