import type { ExecutionContext } from '@nestjs/common';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { PlatformRequest } from '../common/http-request.js';
import {
  asGiven,
  boolean,
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
import { type ApiKeysOptions, type ResolvedApiKeys, resolveApiKeys } from './api-keys.options.js';
import { parameterName } from './read-credential.js';
import { singleLimit } from '../limiter/single-limit.js';
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
  /** API keys. `false` takes none, whatever the environment says. @default what the environment names */
  apiKeys?: false | ApiKeysOptions;
  /** Signed tokens of another issuer (RFC 9068). @default none */
  tokens?: false | TokensOptions;
  /** Gives agents short-lived tokens for their keys (OAuth 2.0 client credentials), and takes these tokens. @default none */
  tokenEndpoint?: false | TokenEndpointOptions;
  /** The app's own authentication. @default none */
  identify?: Identify;
  /** How many bad credentials an address may send; `false` for any number. @default '10/minute' */
  failedAttempts?: false | string;
  /** What challenges call this API. @default 'api' */
  realm?: string;
  /**
   * The URL of this API: what tokens must name in `aud`, and what its metadata describes (RFC 8707, RFC 9728).
   * @default the first of `tokenEndpoint.resources`
   */
  resource?: string;
  /** The URL of its metadata, which challenges name. @default the well-known path of `resource` */
  resourceMetadata?: string;
  /** Query parameters that are refused on every path. @default ['api_key', 'access_token', 'token'] */
  urlParameters?: readonly string[];
  /** Exact paths of WebSockets that need no agent. @default [] */
  publicPaths?: readonly string[];
  /** Describes schemes and refusals in documents of @nestjs/swagger, where it is installed. @default true */
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

export interface ResolvedAuth extends Omit<Resolved<typeof TABLE>, 'apiKeys' | 'tokens' | 'tokenEndpoint'> {
  readonly apiKeys: ResolvedApiKeys | undefined;
  readonly tokens: ResolvedTokens | undefined;
  readonly tokenEndpoint: ResolvedTokenEndpoint | undefined;
}

export interface AuthFeatureOptions {
  readonly auth: ResolvedAuth | false;
}

export const RESOLVED_AUTH = Symbol('agent-security:auth');

export function resolveAuth(input: unknown, env: ReadEnvironment): ResolvedAuth | false {
  if (input === undefined || input === false) return false;
  const options = readTable('auth', input === true ? {} : input, TABLE);
  const apiKeys = resolveApiKeys(options.apiKeys, env);
  const tokens = resolveTokens('auth.tokens', options.tokens, options.resource);
  const tokenEndpoint = resolveTokenEndpoint('auth.tokenEndpoint', options.tokenEndpoint, options.resource);
  if (tokenEndpoint !== undefined) checkTokenEndpoint(tokenEndpoint, tokens, apiKeys);
  if (apiKeys === undefined && tokens === undefined && options.identify === undefined)
    throw noIdentityError(options.apiKeys);
  const resource = options.resource ?? tokenEndpoint?.resources[0];
  const resourceMetadata = options.resourceMetadata ?? (resource && metadataUrl(resource));
  return { ...options, apiKeys, tokens, tokenEndpoint, resource, resourceMetadata };
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

/** A quoted string of RFC 9110 section 5.6.4 that needs no escapes. */
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

/** RFC 9728 section 3.1: the well-known path goes between host and path. */
export function metadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource);
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`;
}
