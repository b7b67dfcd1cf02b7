/* The keys of `auth.tokens`: public keys, shared secrets, or the URL of a key set. */
import { createPublicKey, KeyObject } from 'node:crypto';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { isRecord } from '../common/read-options.js';
import { readHttpsUrl } from '../common/read-url.js';
import {
  SECRET_ALGORITHMS,
  isOfType,
  type Jwk,
  readPublicJwk,
  readSecret,
  repeatedKeyIds,
  toTokenKey,
  type TokenKey,
  UnusableKeyError,
} from './token-key.js';
import { show } from '../common/show-value.js';

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

interface KeyOptions {
  readonly algorithms: readonly string[];
  readonly keys: unknown;
  readonly secret: unknown;
  readonly jwksUri: unknown;
  readonly jwksMaxAge: number;
}

const MAX_KEYS = 100;

/** @throws AgentSecurityConfigError, whose message contains no key */
export function readTokenKeys(option: string, options: KeyOptions): ResolvedTokenKeys {
  const { algorithms } = options;
  const symmetric = SECRET_ALGORITHMS.has(algorithms[0]!);
  const given = (['keys', 'secret', 'jwksUri'] as const).filter(name => options[name] !== undefined);
  const fitting = symmetric ? ['secret'] : ['keys', 'jwksUri'];
  if (given.length !== 1 || !fitting.includes(given[0]!)) {
    throw new AgentSecurityConfigError(
      'ASEC_TOKEN_KEY',
      option,
      `must have one source of keys for ${algorithms.join(', ')}, received ${given.join(' and ') || 'none'}`,
      `Set ${fitting.map(name => `"${name}"`).join(' or ')} only.`,
    );
  }
  if (options.jwksUri !== undefined) {
    const uri = new URL(readHttpsUrl(`${option}.jwksUri`, options.jwksUri));
    return { keys: [], jwks: { uri, maxAgeMs: options.jwksMaxAge } };
  }
  const name = given[0]!;
  const inputs = listOf(options[name]);
  if (inputs.length === 0 || inputs.length > MAX_KEYS)
    throw keyError(`${option}.${name}`, `must hold 1 to ${MAX_KEYS} keys`);
  const keys = inputs.map((each, index) => {
    const at = inputs.length === 1 ? `${option}.${name}` : `${option}.${name}[${index}]`;
    return readKey(at, () => (symmetric ? readSecret(each, algorithms) : readPublicKey(each)));
  });
  for (const [index, { alg, key }] of keys.entries()) {
    if (!algorithms.some(each => (alg === undefined || alg === each) && isOfType(key, each))) {
      throw keyError(`${option}.${name}[${index}]`, 'matches none of the algorithms');
    }
  }
  const [repeated] = repeatedKeyIds(keys);
  if (repeated !== undefined)
    throw keyError(`${option}.${name}`, `has two keys with the ID ${show(repeated)}`);
  return { keys, jwks: undefined };
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isRecord(value) && Array.isArray(value['keys']) ? (value['keys'] as unknown[]) : [value];
}

function readPublicKey(input: unknown): TokenKey {
  const none = { kid: undefined, alg: undefined };
  if (input instanceof KeyObject) {
    return toTokenKey(input.type === 'private' ? createPublicKey(input) : input, none);
  }
  if (typeof input !== 'string') return readPublicJwk(input);
  let key: KeyObject;
  try {
    key = createPublicKey(input);
  } catch {
    throw new UnusableKeyError('is not a public key in PEM');
  }
  return toTokenKey(key, none);
}

function readKey(option: string, read: () => TokenKey): TokenKey {
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
