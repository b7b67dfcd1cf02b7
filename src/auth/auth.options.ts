/* `auth`: which kinds of credentials are accepted, and how requests without a valid one are answered. */
import type { ExecutionContext } from '@nestjs/common';
import type { Agent } from '../common/agent.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { PlatformRequest } from '../common/http-request.js';
import {
  asGiven,
  boolean,
  expandShort,
  fn,
  optional,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import {
  type ReadEnvironment,
  readPaths,
  readString,
  readStringList,
  receivedError,
} from '../common/read-options.js';
import { readHttpsUrl } from '../common/read-url.js';
import { createAgent, isAgentId, isScope } from '../identity/create-agent.js';
import { singleLimit } from '../limiter/process-limit.js';
import {
  type ResolvedTokenEndpoint,
  resolveTokenEndpoint,
  type TokenEndpointOptions,
} from '../tokens/token-endpoint.options.js';
import { type ResolvedTokens, resolveTokens, type TokensOptions } from '../tokens/tokens.options.js';
import type { ForeignNames } from '../common/foreign-names.js';
import { type ApiKeysOptions, type ResolvedApiKeys, resolveApiKeys } from './api-keys.options.js';
import { parameterName } from './read-credential.js';

/**
 * An agent that the app's own authentication has verified.
 * @example
 * const agent: IdentifiedAgent = { id: `user:${user.id}`, scopes: ['reports:read'], tenant: user.tenant };
 */
export interface IdentifiedAgent {
  /** Stable and unique across all kinds of credentials: limits, audit records and events use it. */
  id: string;
  /** @default [] */
  scopes?: readonly string[];
  tier?: string | undefined;
  tenant?: string | undefined;
  tools?: readonly string[] | undefined;
  /** @default {} */
  claims?: Readonly<Record<string, unknown>>;
}

/**
 * The app's own authentication: returns the agent of a request, or `undefined` if there is none. It is called before the rate limits, for
 * requests without a credential of a configured kind. `context` is `undefined` before routing.
 * @example
 * const identify: Identify = async request => {
 *   const user = await sessions.findUser(request.headers.cookie);
 *   return user && { id: `user:${user.id}`, scopes: user.scopes };
 * };
 * AgentSecurityModule.forRoot({ auth: { identify } });
 */
export type Identify = (
  request: PlatformRequest,
  context: ExecutionContext | undefined,
) => IdentifiedAgent | undefined | Promise<IdentifiedAgent | undefined>;

/**
 * How agents are authenticated: by API keys, access tokens, or the app's own authentication.
 * @example
 * AgentSecurityModule.forRoot({
 *   auth: {
 *     apiKeys: { file: 'keys.json', secret },
 *     tokenEndpoint: { issuer: 'https://api.example.com', signingKeys: { file: 'signing-key.pem' } },
 *   },
 * })
 */
export interface AuthOptions {
  /**
   * The storage of API keys, and the secret of their digests. `false` accepts none, whatever the environment says. Several storages, a
   * file that is missing or broken at start-up, and a short secret stop the start-up. See docs/authentication.md#api-keys.
   * @default from the environment
   */
  apiKeys?: false | ApiKeysOptions;
  /**
   * Accepts access tokens of another issuer (RFC 9068). Missing `algorithms`, secrets together with public keys, weak keys, and a
   * `jwksUri` that is neither https nor on a loopback address stop the start-up. See docs/authentication.md#tokens.
   *
   * Danger: the issuer names the agents. A token whose agent has the ID of one of your API keys is the same agent to limits and policies.
   * Where this must not happen, change the IDs in `agent`.
   * @default none
   */
  tokens?: false | TokensOptions;
  /**
   * Issues short-lived tokens for API keys (OAuth 2.0 client credentials), and accepts these tokens without `tokens`. Keys and metadata
   * are published at their well-known paths. A missing `issuer`, missing `signingKeys` and missing API keys stop the start-up. See
   * docs/authentication.md#token-endpoint.
   * @default none
   */
  tokenEndpoint?: false | TokenEndpointOptions;
  /**
   * The app's own authentication: `(request, context) => agent | undefined`. It is called for requests without a credential of a
   * configured kind. An `UnauthorizedException` reports an invalid credential.
   *
   * Note: it runs before the app's own guards. Middleware has run by then; a Passport guard of the route has not.
   * @default none
   */
  identify?: Identify;
  /**
   * How many invalid credentials an address may send before further ones get 429: one limit, or `false` for no limit. Valid credentials
   * are always accepted, and missing ones do not count.
   * @default '10/minute'
   */
  failedAttempts?: false | string;
  /** The `realm` of `WWW-Authenticate` challenges: up to 128 ASCII characters without quotes and backslashes. @default 'api' */
  realm?: string;
  /**
   * The URL of this API: https without a fragment, or http on a loopback name. Tokens of `tokenEndpoint` must contain it in `aud`, and so
   * must those of `tokens` unless `audience` is set. The metadata describes it.
   *
   * Note: URLs are compared as text. `https://api.example.com` and `https://api.example.com/mcp` are two resources, and a token for one
   * is rejected by the other.
   * @default the first of `tokenEndpoint.resources`; none without a token endpoint
   * @see RFC 8707, RFC 9728
   */
  resource?: string;
  /**
   * The URL of the protected resource metadata, which challenges contain as `resource_metadata`.
   * @default the well-known path of `resource`; none without it
   */
  resourceMetadata?: string;
  /**
   * Query parameters that get 400 `credential_in_url`, on every path and before loggers. Case and encoding are ignored. An app with a
   * `token` parameter of its own (a link in an e-mail) must leave it out of the list.
   * @default ['api_key', 'access_token', 'token']
   */
  urlParameters?: readonly string[];
  /**
   * Exact paths of WebSockets that need no credential. An invalid credential is rejected there too. They begin with a slash; patterns,
   * parameters and queries stop the start-up. Gateways have no global prefix.
   * @default []
   */
  publicPaths?: readonly string[];
  /**
   * Adds the security schemes and the 401, 403, 413, 429 and 503 responses of each route to documents of `@nestjs/swagger`, where it is
   * installed. Without `auth`, the responses are added too. See docs/guides/swagger-ui.md.
   * @default true
   */
  openapi?: boolean;
}

const DEFAULT_URL_PARAMETERS = ['api_key', 'access_token', 'token'];

const readFailedAttempts = singleLimit('failed-attempts', '10/minute');

const TABLE = {
  apiKeys: asGiven,
  tokens: asGiven,
  tokenEndpoint: asGiven,
  identify: fn<Identify>(),
  failedAttempts: (option, value) => (value === false ? undefined : readFailedAttempts(option, value)),
  realm: readRealm,
  resource: optional(readHttpsUrl),
  resourceMetadata: optional(readHttpsUrl),
  urlParameters: (option, value): ReadonlySet<string> =>
    new Set(readStringList(option, value, DEFAULT_URL_PARAMETERS).map(parameterName)),
  publicPaths: readPaths,
  openapi: boolean(true),
} satisfies OptionTable<AuthOptions>;

const FOREIGN: ForeignNames = {
  jwt: 'Write tokens: { issuer, audience, jwksUri, algorithms }.',
  bearer: 'Write tokens: { issuer, audience, jwksUri, algorithms }.',
  jwksUri: 'Write tokens: { issuer, audience, jwksUri, algorithms }.',
  issuer: 'Write tokens: { issuer, audience, jwksUri, algorithms }.',
  audience: 'Write tokens: { issuer, audience, jwksUri, algorithms }.',
  secret: 'Write apiKeys: { secret } for the digests of API keys, or tokens: { secret } for HS256 tokens.',
  keys: 'Write apiKeys: { file: "keys.json" }; npx nestjs-agent-security keys create makes the file.',
  exclude: 'Put @Public() on the routes that need no credential.',
  validate: 'Write identify: (request) => the agent, or undefined.',
};

interface Credentials {
  readonly apiKeys: ResolvedApiKeys | undefined;
  readonly tokens: ResolvedTokens | undefined;
  readonly tokenEndpoint: ResolvedTokenEndpoint | undefined;
}

export type ResolvedAuth = Omit<Resolved<typeof TABLE>, keyof Credentials> & Credentials;

export interface AuthFeatureOptions {
  readonly auth: ResolvedAuth | false;
}

export const RESOLVED_AUTH = Symbol('agent-security:resolved-auth');

export function resolveAuth(input: unknown, env: ReadEnvironment): ResolvedAuth | false {
  if (input === undefined || input === false) return false;
  const options = readTable('auth', expandShort(input), TABLE, FOREIGN);
  const credentials = {
    apiKeys: resolveApiKeys(options.apiKeys, env),
    tokens: resolveTokens('auth.tokens', options.tokens, options.resource),
    tokenEndpoint: resolveTokenEndpoint('auth.tokenEndpoint', options.tokenEndpoint, options.resource),
  };
  checkTokenEndpoint(credentials);
  if (!credentials.apiKeys && !credentials.tokens && options.identify === undefined)
    throw noIdentityError(options.apiKeys);
  const resource = options.resource ?? credentials.tokenEndpoint?.resources[0];
  const resourceMetadata = options.resourceMetadata ?? (resource && metadataUrl(resource));
  return { ...options, ...credentials, resource, resourceMetadata };
}

function checkTokenEndpoint({ apiKeys, tokens, tokenEndpoint }: Credentials): void {
  if (tokenEndpoint === undefined) return;
  if (apiKeys === undefined) {
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      'auth.tokenEndpoint',
      'issues tokens for API keys, but no API keys are configured',
      'Set apiKeys (AUTH_KEYS_FILE, AUTH_API_KEYS).',
    );
  }
  const { issuer } = tokenEndpoint;
  if (tokens?.issuer === issuer) {
    throw receivedError(
      'ASEC_AUTH_URL',
      'auth.tokens.issuer',
      'must not be the issuer of auth.tokenEndpoint',
      'Tokens of the endpoint are accepted without auth.tokens, which is for another issuer.',
      issuer,
    );
  }
}

function noIdentityError(apiKeys: unknown): AgentSecurityConfigError {
  return new AgentSecurityConfigError(
    'ASEC_AUTH_NONE',
    'auth',
    'is on, but no kind of credential is configured, so that every request would be rejected',
    apiKeys === false
      ? 'Set tokens or identify, or leave apiKeys to the environment.'
      : 'Set apiKeys (AUTH_KEYS_FILE, AUTH_API_KEYS), tokens or identify, or set auth to false.',
  );
}

/** A quoted string that needs no escapes (RFC 9110 section 5.6.4). */
function readRealm(option: string, value: unknown): string {
  const realm = readString(option, value, 'api');
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(realm)) return realm;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be ASCII text without quotes and backslashes',
    'Write for example "api".',
    realm,
  );
}

/** RFC 9728 section 3.1: the well-known path is inserted between host and path. */
function metadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource);
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`;
}

/** Validates what `auth.identify` returned. @throws TypeError for an invalid agent, which must not count as authenticated */
export function checkIdentified(found: IdentifiedAgent): Agent {
  const { id, scopes = [], tier, tenant, tools, claims = {} } = found;
  checkReturned(isAgentId(id), 'an agent with an id of 1 to 256 visible ASCII characters');
  checkReturned(Array.isArray(scopes) && scopes.every(isScope), 'scopes as a list of scopes');
  checkReturned(isText(tier) && isText(tenant), 'tier and tenant as strings');
  checkReturned(
    tools === undefined || (Array.isArray(tools) && tools.every(tool => typeof tool === 'string')),
    'tools as a list of strings',
  );
  return createAgent({ id, kind: 'custom', scopes, tier, tenant, tools, claims });
}

function checkReturned(isValid: boolean, what: string): void {
  if (!isValid) throw new TypeError(`auth.identify must return ${what}`);
}

const isText = (value: unknown): boolean => value === undefined || typeof value === 'string';
