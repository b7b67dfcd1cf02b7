import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  isRecord,
  readObject,
  readPaths,
  readString,
  readStringList,
  readTexts,
  receivedError,
} from '../common/read-options.js';
import { readDuration } from '../common/read-duration.js';
import { readHttpsUrl } from '../common/read-url.js';
import { parseLimits } from '../limiter/parse-limits.js';
import { createPolicy, type Policy } from '../limiter/policy.js';
import {
  createEphemeralKey,
  readSigningKeyFile,
  readSigningKeys,
  type SigningKey,
  type SigningKeySet,
} from './signing-keys.js';
import { UnusableKeyError } from './token-key.js';
import { keyError } from './token-keys.options.js';
import { type DpopOptions, type ResolvedDpop, resolveDpop } from './tokens.options.js';

/** Where agents get tokens for their keys: OAuth 2.0, client credentials. */
export interface TokenEndpointOptions {
  /** The URL that names the issuer, such as `https://api.example.com`. Required. @see RFC 8414 section 2 */
  issuer: string;
  /** The path of the endpoint, outside every prefix and version of the app. @default '/oauth/token' */
  path?: string;
  /**
   * The APIs that tokens may be issued for; the first is the default. This API accepts only those for itself: `auth.resource`, or the
   * first of these where that is not set. @default `auth.resource`, else the issuer @see RFC 8707
   */
  resources?: string | readonly string[];
  /** How long a token lives, from 5 to 15 minutes. @default '10 minutes' */
  lifetime?: string;
  /**
   * The private keys: in place, `{ file }` (PEM, a JWK or a JWK set), or a function that is asked again and again. The newest signs, by
   * `iat`; a key signs from its `nbf` on and is published until its `exp`.
   */
  signingKeys?: SigningKeySet | { readonly file: string } | (() => SigningKeySet | Promise<SigningKeySet>);
  /**
   * Signs with a key that is made at start: for demonstrations. Every other process, and the next start, rejects its tokens.
   * @default false
   */
  insecureEphemeralKey?: boolean;
  /** How many tokens a client may get. @default '60/minute' */
  limit?: string;
  /** Tokens that are bound to the client's key (RFC 9449). @default false */
  dpop?: boolean | DpopOptions;
  /** Where the public keys are. @default '/.well-known/jwks.json' */
  jwksPath?: string;
  /** How long the public keys and the metadata may be cached. @default '5 minutes' */
  metadataMaxAge?: string;
  /** What metadata lists under `scopes_supported`. @default nothing */
  scopes?: readonly string[];
}

export interface ResolvedTokenEndpoint {
  readonly issuer: string;
  readonly path: string;
  readonly resources: readonly string[];
  readonly lifetimeMs: number;
  /** Reads the keys; whether it may be asked again. */
  readonly readKeys: () => Promise<readonly SigningKey[]>;
  readonly limit: Policy;
  readonly dpop: ResolvedDpop | undefined;
  readonly jwksPath: string;
  readonly metadataMaxAgeMs: number;
  readonly scopes: readonly string[];
}

/** @param resource `auth.resource` */
export function resolveTokenEndpoint(
  option: string,
  input: unknown,
  resource: string | undefined,
): ResolvedTokenEndpoint | undefined {
  if (input === undefined || input === false) return undefined;
  const options = readObject(option, input, [
    'issuer',
    'path',
    'resources',
    'lifetime',
    'signingKeys',
    'insecureEphemeralKey',
    'limit',
    'dpop',
    'jwksPath',
    'metadataMaxAge',
    'scopes',
  ]);
  const issuer = readIssuer(`${option}.issuer`, options.issuer);
  return {
    issuer,
    path: readPath(`${option}.path`, options.path, '/oauth/token'),
    resources: readResources(`${option}.resources`, options.resources ?? resource ?? issuer),
    lifetimeMs: readDuration(`${option}.lifetime`, options.lifetime, '10 minutes', {
      min: '5 minutes',
      max: '15 minutes',
    }),
    readKeys: readKeySource(option, options.signingKeys, options.insecureEphemeralKey),
    limit: readLimit(`${option}.limit`, options.limit),
    dpop: resolveDpop(`${option}.dpop`, options.dpop),
    jwksPath: readPath(`${option}.jwksPath`, options.jwksPath, '/.well-known/jwks.json'),
    metadataMaxAgeMs: readDuration(`${option}.metadataMaxAge`, options.metadataMaxAge, '5 minutes', {
      min: '0s',
      max: '1 day',
    }),
    scopes: readStringList(`${option}.scopes`, options.scopes, []),
  };
}

/** As it is written: clients compare it character by character (RFC 8414 section 3.3). */
function readIssuer(option: string, value: unknown): string {
  const issuer = readHttpsUrl(option, value);
  if (!issuer.includes('?')) return issuer;
  throw receivedError(
    'ASEC_AUTH_URL',
    option,
    'must have no query',
    'Write for example "https://api.example.com".',
    value,
  );
}

function readResources(option: string, value: unknown): readonly string[] {
  const resources = readTexts(option, value);
  for (const [index, resource] of resources.entries()) readHttpsUrl(`${option}[${index}]`, resource);
  return resources;
}

function readPath(option: string, value: unknown, fallback: string): string {
  const path = readString(option, value, fallback);
  readPaths(option, [path]);
  return path;
}

function readLimit(option: string, value: unknown): Policy {
  const limits = parseLimits(option, readString(option, value, '60/minute'));
  if (limits.length === 1)
    return createPolicy({ name: 'tokens', limit: limits[0]!.limit, windowMs: limits[0]!.windowMs });
  throw receivedError(
    'ASEC_LIMIT_SYNTAX',
    option,
    'must be one limit',
    'Write for example "60/minute".',
    value,
  );
}

function readKeySource(option: string, keys: unknown, ephemeral: unknown): ResolvedTokenEndpoint['readKeys'] {
  if ((keys === undefined) === (ephemeral !== true)) {
    throw new AgentSecurityConfigError(
      'ASEC_TOKEN_KEY',
      `${option}.signingKeys`,
      keys === undefined ? 'is missing' : 'is given beside insecureEphemeralKey',
      'Pass private keys, { file }, or a function; insecureEphemeralKey is for demonstrations.',
    );
  }
  if (keys === undefined) {
    const made = [createEphemeralKey()];
    return () => Promise.resolve(made);
  }
  if (typeof keys === 'function') return async () => readSigningKeys(await keys());
  if (isRecord(keys) && 'file' in keys) {
    const { file } = readObject(`${option}.signingKeys`, keys, ['file']);
    const path = readString(`${option}.signingKeys.file`, file, '');
    return () => readSigningKeyFile(path);
  }
  try {
    const fixed = readSigningKeys(keys);
    return () => Promise.resolve(fixed);
  } catch (error) {
    if (error instanceof UnusableKeyError) throw keyError(`${option}.signingKeys`, error.message);
    throw error;
  }
}
