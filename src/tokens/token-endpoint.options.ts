import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  asGiven,
  boolean,
  duration,
  type OptionTable,
  readTable,
  requiredText,
  type Resolved,
  texts,
} from '../common/option-table.js';
import { isRecord, readTexts, receivedError } from '../common/read-options.js';
import { plainPath, readHttpsUrl } from '../common/read-url.js';
import { singleLimit } from '../limiter/process-limit.js';
import {
  createEphemeralKey,
  readSigningKeyFile,
  readSigningKeys,
  type SigningKey,
  type SigningKeySet,
} from './signing-keys.js';
import { readKeys } from './token-keys.options.js';
import { type DpopOptions, resolveDpop } from './tokens.options.js';

/**
 * An endpoint that issues tokens for API keys: OAuth 2.0 client credentials.
 * @example
 * AgentSecurityModule.forRoot({
 *   auth: { tokenEndpoint: { issuer: 'https://api.example.com', signingKeys: { file: 'signing-key.pem' } } },
 * })
 */
export interface TokenEndpointOptions {
  /**
   * The issuer identifier, such as `https://api.example.com`: https without a query or fragment, or http on a loopback name.
   * @see RFC 8414 section 2
   */
  issuer: string;
  /**
   * The path of the endpoint, outside of any global prefix and version. Beside it, at `…/authorize`, an authorization endpoint answers that
   * it supports no response type: MCP clients require its URL in the metadata. @default '/oauth/token'
   */
  path?: string;
  /**
   * The APIs that tokens may be issued for; the first is the default. This API accepts only tokens for itself: for `auth.resource`, or the
   * first of these if that is not set. @default `auth.resource`, else the issuer @see RFC 8707
   */
  resources?: string | readonly string[];
  /** The lifetime of a token, from 5 to 15 minutes. @default '10 minutes' */
  lifetime?: string;
  /**
   * The private keys: the keys themselves, `{ file }` (PEM, a JWK or a JWK set), or a function. Required unless `insecureEphemeralKey` is
   * set. Files and functions are read again every 10 seconds. The key with the newest `iat` signs. A key signs from its `nbf` on and is
   * published until its `exp`.
   */
  signingKeys?: SigningKeySet | { readonly file: string } | (() => SigningKeySet | Promise<SigningKeySet>);
  /**
   * Signs with a key that is created at start-up, for demonstrations. Danger: other processes, and the next start, reject its tokens.
   * @default false
   */
  insecureEphemeralKey?: boolean;
  /** How many tokens a client may request. @default '60/minute' */
  limit?: string;
  /** Allows tokens that are bound to a key of the client (DPoP, RFC 9449). @default false */
  dpop?: boolean | DpopOptions;
  /** The path of the public keys. @default '/.well-known/jwks.json' */
  jwksPath?: string;
  /** How long the public keys and the metadata may be cached, up to a day. @default '5 minutes' */
  metadataMaxAge?: string;
  /** The `scopes_supported` of the metadata. @default none */
  scopes?: readonly string[];
}

const TABLE = {
  issuer: readIssuer,
  path: plainPath('/oauth/token'),
  resources: asGiven,
  lifetime: duration('10 minutes', '5 minutes', '15 minutes'),
  signingKeys: asGiven,
  insecureEphemeralKey: boolean(false),
  limit: singleLimit('tokens', '60/minute'),
  dpop: resolveDpop,
  jwksPath: plainPath('/.well-known/jwks.json'),
  metadataMaxAge: duration('5 minutes', '0s', '1 day'),
  scopes: texts(),
} satisfies OptionTable<TokenEndpointOptions>;

export interface ResolvedTokenEndpoint extends Pick<
  Resolved<typeof TABLE>,
  'issuer' | 'path' | 'limit' | 'dpop' | 'jwksPath' | 'scopes'
> {
  /** Beside `path`. */
  readonly authorizationPath: string;
  readonly resources: readonly string[];
  readonly lifetimeMs: number;
  /** Reads the keys; may be called again. */
  readonly readKeys: () => Promise<readonly SigningKey[]>;
  readonly metadataMaxAgeMs: number;
  /** Whether the signing key ends with the process. */
  readonly hasEphemeralKey: boolean;
}

/** @param resource `auth.resource` */
export function resolveTokenEndpoint(
  option: string,
  input: unknown,
  resource: string | undefined,
): ResolvedTokenEndpoint | undefined {
  if (input === undefined || input === false) return undefined;
  const options = readTable(option, input, TABLE);
  const { resources, lifetime, signingKeys, insecureEphemeralKey, metadataMaxAge, ...rest } = options;
  return {
    ...rest,
    authorizationPath: `${rest.path.slice(0, rest.path.lastIndexOf('/'))}/authorize`,
    resources: readResources(`${option}.resources`, resources ?? resource ?? rest.issuer),
    lifetimeMs: lifetime,
    readKeys: readKeySource(`${option}.signingKeys`, signingKeys, insecureEphemeralKey),
    metadataMaxAgeMs: metadataMaxAge,
    hasEphemeralKey: insecureEphemeralKey,
  };
}

/** Not normalized: clients compare the issuer as a string (RFC 8414 section 3.3). */
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

function readKeySource(option: string, keys: unknown, ephemeral: boolean): ResolvedTokenEndpoint['readKeys'] {
  if ((keys === undefined) !== ephemeral) {
    throw new AgentSecurityConfigError(
      'ASEC_TOKEN_KEY',
      option,
      keys === undefined ? 'is missing' : 'is set together with insecureEphemeralKey',
      'Pass private keys, { file }, or a function; insecureEphemeralKey is for demonstrations.',
    );
  }
  if (keys === undefined) {
    const made = [createEphemeralKey()];
    return () => Promise.resolve(made);
  }
  if (typeof keys === 'function') return async () => readSigningKeys(await keys());
  if (isRecord(keys) && 'file' in keys) {
    const { file } = readTable(option, keys, { file: requiredText });
    return () => readSigningKeyFile(file);
  }
  const fixed = readKeys(option, () => readSigningKeys(keys));
  return () => Promise.resolve(fixed);
}
