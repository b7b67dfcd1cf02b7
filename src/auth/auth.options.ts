import type { ExecutionContext } from '@nestjs/common';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { PlatformRequest } from '../common/http-request.js';
import {
  readBoolean,
  type ReadEnvironment,
  readFunction,
  readObject,
  readPaths,
  readString,
  readStringList,
  receivedError,
} from '../common/read-options.js';
import { readHttpsUrl } from '../common/read-url.js';
import { limitTypeError } from '../rate-limit/limit-rule.js';
import { type ApiKeysOptions, type ResolvedApiKeys, resolveApiKeys } from './api-keys.options.js';
import { parameterName } from './read-credential.js';
import { parseLimits } from '../limiter/parse-limits.js';
import { createPolicy, type Policy } from '../limiter/policy.js';
import {
  type ResolvedTokenEndpoint,
  resolveTokenEndpoint,
  type TokenEndpointOptions,
} from '../tokens/token-endpoint.options.js';
import { type ResolvedTokens, resolveTokens, type TokensOptions } from '../tokens/tokens.options.js';

/** An agent that the app's own authentication knows. */
export interface IdentifiedAgent {
  /** Stable, and unique over all kinds of credentials: limits, audit lines and events name the agent by it. */
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
 * Whom the app's own authentication finds behind a request; `undefined` for nobody. It is asked where the request carries no
 * credential of a kind that is configured here, before the limits. `context` is missing before routing.
 */
export type Identify = (
  request: PlatformRequest,
  context: ExecutionContext | undefined,
) => IdentifiedAgent | undefined | Promise<IdentifiedAgent | undefined>;

export interface AuthOptions {
  /**
   * Where API keys are kept and how they are digested. `false` takes none, whatever the environment says. Two locations at once, a file
   * that is missing or broken at start-up, and a short secret stop the start-up.
   * @default what the environment names
   */
  apiKeys?: false | ApiKeysOptions;
  /**
   * Accepts signed tokens of another issuer (RFC 9068). See docs/authentication.md#tokens. No `algorithms`, secrets beside public keys,
   * weak keys, and a `jwksUri` that is neither https nor loopback stop the start-up.
   *
   * Danger: an issuer names agents, and its IDs are those of your API keys if they are equal. Where it must not, rename them in
   * `agent`.
   * @default none
   */
  tokens?: false | TokensOptions;
  /**
   * Gives agents tokens of 5 to 15 minutes for their API keys (OAuth 2.0 client credentials), with JWKS and metadata at their
   * well-known paths. These tokens are accepted without `auth.tokens`. No `issuer`, no `signingKeys`, a lifetime outside 5 to 15
   * minutes, and no API keys stop the start-up.
   * @default none
   */
  tokenEndpoint?: false | TokenEndpointOptions;
  /**
   * The app's own authentication: `(request, context) => agent | undefined`. It is called where a request carries no credential of a
   * kind that is configured here. An `UnauthorizedException` says that there was a credential and it is invalid.
   *
   * Note: it runs before the app's own guards. Middleware has run by then; a Passport guard on the route has not.
   * @default none
   */
  identify?: Identify;
  /**
   * How many invalid credentials an address may send before further ones get 429: one limit, or `false` for any number. A valid
   * credential is accepted however many have failed; a missing one is no attempt.
   * @default '10/minute'
   */
  failedAttempts?: false | string;
  /** The name of this API in the `WWW-Authenticate` challenge. @default 'api' */
  realm?: string;
  /**
   * The URL of this API (RFC 8707, RFC 9728): https without fragment; http for loopback names only. Tokens of `auth.tokenEndpoint` must
   * name it in `aud`, and so must those of `auth.tokens` unless `audience` is set. The metadata describes it.
   *
   * Note: URLs are compared as they are written. `https://api.example.com` and `https://api.example.com/mcp` are two resources, and a
   * token for one is rejected by the other.
   * @default the first of `tokenEndpoint.resources`; none without a token endpoint
   */
  resource?: string;
  /**
   * The URL of the protected resource metadata, which challenges name as `resource_metadata`.
   * @default the well-known path of `resource`; none without it
   */
  resourceMetadata?: string;
  /**
   * Query parameters that get 400 `credential_in_url`, on every path and before loggers. Case and encoding do not matter. An app with a
   * `token` parameter of its own (a link in a mail) must leave it out of the list.
   * @default ['api_key', 'access_token', 'token']
   */
  urlParameters?: readonly string[];
  /**
   * Exact paths on which a WebSocket may be opened without a credential. An invalid credential is rejected there too. No patterns,
   * parameters or queries. Gateways have no global prefix.
   * @default []
   */
  publicPaths?: readonly string[];
  /**
   * Adds the security schemes and the 401, 403 and 429 responses of each route to documents of `@nestjs/swagger`, where it is
   * installed.
   * @default true
   */
  openapi?: boolean;
}

export interface ResolvedAuth {
  readonly apiKeys: ResolvedApiKeys | undefined;
  readonly tokens: ResolvedTokens | undefined;
  readonly tokenEndpoint: ResolvedTokenEndpoint | undefined;
  readonly identify: Identify | undefined;
  readonly failedAttempts: Policy | undefined;
  readonly realm: string;
  readonly resource: string | undefined;
  readonly resourceMetadata: string | undefined;
  readonly urlParameters: ReadonlySet<string>;
  readonly publicPaths: ReadonlySet<string>;
  readonly openapi: boolean;
}

export const RESOLVED_AUTH = Symbol('agent-security:auth');

const DEFAULT_FAILED_ATTEMPTS = '10/minute';
const DEFAULT_URL_PARAMETERS = ['api_key', 'access_token', 'token'];

export function resolveAuth(input: unknown, env: ReadEnvironment): ResolvedAuth | false {
  if (input === undefined || input === false) return false;
  const options = readObject('auth', input === true ? {} : input, [
    'apiKeys',
    'tokens',
    'tokenEndpoint',
    'identify',
    'failedAttempts',
    'realm',
    'resource',
    'resourceMetadata',
    'urlParameters',
    'publicPaths',
    'openapi',
  ]);
  const apiKeys = resolveApiKeys(options.apiKeys, env);
  const identify = readFunction<Identify>('auth.identify', options.identify);
  const named = readOptionalUrl('auth.resource', options.resource);
  const tokens = resolveTokens('auth.tokens', options.tokens, named);
  const tokenEndpoint = resolveTokenEndpoint('auth.tokenEndpoint', options.tokenEndpoint, named);
  if (tokenEndpoint !== undefined) checkTokenEndpoint(tokenEndpoint, tokens, apiKeys);
  if (apiKeys === undefined && tokens === undefined && identify === undefined)
    throw noIdentityError(options.apiKeys);
  const resource = named ?? tokenEndpoint?.resources[0];
  return {
    apiKeys,
    tokens,
    tokenEndpoint,
    identify,
    failedAttempts: resolveFailedAttempts(options.failedAttempts),
    realm: readRealm(options.realm),
    resource,
    resourceMetadata:
      readOptionalUrl('auth.resourceMetadata', options.resourceMetadata) ??
      (resource === undefined ? undefined : metadataUrl(resource)),
    urlParameters: new Set(
      readStringList('auth.urlParameters', options.urlParameters, DEFAULT_URL_PARAMETERS).map(parameterName),
    ),
    publicPaths: readPaths('auth.publicPaths', options.publicPaths),
    openapi: readBoolean('auth.openapi', options.openapi, true),
  };
}

function checkTokenEndpoint(
  { issuer }: ResolvedTokenEndpoint,
  tokens: ResolvedTokens | undefined,
  apiKeys: ResolvedApiKeys | undefined,
): void {
  if (apiKeys === undefined) {
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      'auth.tokenEndpoint',
      'gives tokens for API keys, and there are none',
      'Give apiKeys (AUTH_KEYS_FILE, AUTH_API_KEYS).',
    );
  }
  if (tokens?.issuer === issuer) {
    throw receivedError(
      'ASEC_AUTH_URL',
      'auth.tokens.issuer',
      'must not be the issuer of auth.tokenEndpoint',
      'The tokens of the endpoint are taken without it; auth.tokens is for another issuer.',
      issuer,
    );
  }
}

function noIdentityError(apiKeys: unknown): AgentSecurityConfigError {
  return new AgentSecurityConfigError(
    'ASEC_AUTH_NONE',
    'auth',
    'is on, and nothing could identify an agent, so that every request would be refused',
    apiKeys === false
      ? 'Give tokens or identify, or leave apiKeys to the environment.'
      : 'Give apiKeys (AUTH_KEYS_FILE, AUTH_API_KEYS), tokens or identify, or set auth to false.',
  );
}

function resolveFailedAttempts(value: unknown): Policy | undefined {
  if (value === false) return undefined;
  const text = value === undefined ? DEFAULT_FAILED_ATTEMPTS : value;
  if (typeof text !== 'string') throw limitTypeError('auth.failedAttempts', text, 'must be a limit or false');
  const parsed = parseLimits('auth.failedAttempts', text);
  if (parsed.length > 1) throw limitTypeError('auth.failedAttempts', text, 'must be one limit');
  return createPolicy({
    name: 'failed-attempts',
    limit: parsed[0]!.limit,
    windowMs: parsed[0]!.windowMs,
  });
}

/** A quoted string of RFC 9110 section 5.6.4 that needs no escapes. */
function readRealm(value: unknown): string {
  const realm = readString('auth.realm', value, 'api');
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(realm)) return realm;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    'auth.realm',
    'must be ASCII text without quotes and backslashes',
    'Write for example "api".',
    realm,
  );
}

const readOptionalUrl = (option: string, value: unknown): string | undefined =>
  value === undefined ? undefined : readHttpsUrl(option, value);

/** RFC 9728 section 3.1: the well-known path goes between host and path. */
export function metadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource);
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`;
}
