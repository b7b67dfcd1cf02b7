import type { ExecutionContext } from '@nestjs/common';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { PlatformRequest } from '../common/http-request.js';
import {
  isRecord,
  readBoolean,
  type ReadEnvironment,
  readFunction,
  readObject,
  readPaths,
  readString,
  readStringList,
  receivedError,
} from '../common/read-options.js';
import { limitTypeError } from '../rate-limit/limit-rule.js';
import { parseLimits } from '../rate-limit/parse-limits.js';
import { createPolicy, type Policy } from '../rate-limit/policy.js';
import { DEFAULT_PREFIX, PREFIX_FORM } from './api-key-format.js';
import type { ApiKeyStore } from './api-key-store.js';
import { FileKeyStore } from './file-key-store.js';
import { checkKeyBook, type KeyBook, KeyBookError, parseKeyBook } from './key-book.js';
import { KeyBookStore } from './key-book-store.js';
import { KeyDigests, MIN_PEPPER_LENGTH } from './key-digest.js';
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
 * credential of a kind that is configured here, before the limits. `context` is missing in front of the framework.
 */
export type Identify = (
  request: PlatformRequest,
  context: ExecutionContext | undefined,
) => IdentifiedAgent | undefined | Promise<IdentifiedAgent | undefined>;

export interface ApiKeysOptions {
  /** Where the keys are: an object with `find(id)`. Excludes `file` and `book`. */
  store?: ApiKeyStore;
  /** The JSON file that `npx nestjs-agent-security keys` writes. It is watched. Environment: `AUTH_KEYS_FILE`. */
  file?: string;
  /** The content of such a file, from a secrets manager. Environment: `AUTH_API_KEYS`, as JSON. */
  book?: KeyBook;
  /**
   * What digests of keys are made with, at least 32 characters each; several, the newest first, while keys of an older one
   * are in use. Environment: `AUTH_KEY_SECRET`, separated by commas.
   */
  secret?: string | readonly string[];
  /** What keys begin with, so that secret scanners find them. @default 'ask' */
  prefix?: string;
}

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
  /** The URL of this API, for tokens and their metadata (RFC 8707, RFC 9728). @default none */
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

export interface ResolvedApiKeys {
  readonly store: ApiKeyStore;
  /** The option or variable that the store comes from. */
  readonly origin: string;
  readonly digests: KeyDigests;
  readonly prefix: string;
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
  const named = readUrl('auth.resource', options.resource);
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
      readUrl('auth.resourceMetadata', options.resourceMetadata) ??
      (resource === undefined ? undefined : metadataUrl(resource)),
    urlParameters: new Set(
      readStringList('auth.urlParameters', options.urlParameters, DEFAULT_URL_PARAMETERS).map(name =>
        name.toLowerCase(),
      ),
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

/* ---- API keys ---- */

function resolveApiKeys(input: unknown, env: ReadEnvironment): ResolvedApiKeys | undefined {
  if (input === false) return undefined;
  const options = readObject('auth.apiKeys', input, ['store', 'file', 'book', 'secret', 'prefix']);
  const found = resolveStore(options, env);
  if (found === undefined) {
    if (input === undefined) return undefined;
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      'auth.apiKeys',
      'says nowhere where the keys are',
      'Give store, file (AUTH_KEYS_FILE) or book (AUTH_API_KEYS).',
    );
  }
  return {
    ...found,
    digests: new KeyDigests(resolveSecrets(options.secret, env)),
    prefix: readPrefix('auth.apiKeys.prefix', options.prefix),
  };
}

function resolveStore(
  { store, file, book }: Partial<Record<keyof ApiKeysOptions, unknown>>,
  env: ReadEnvironment,
): Pick<ResolvedApiKeys, 'store' | 'origin'> | undefined {
  const given = Object.entries({ store, file, book }).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      'auth.apiKeys',
      `names several places of keys: ${given.map(([name]) => name).join(', ')}`,
      'Give one of store, file and book.',
    );
  }
  if (store !== undefined) {
    if (isRecord(store) && typeof store['find'] === 'function')
      return { store: store as unknown as ApiKeyStore, origin: 'auth.apiKeys.store' };
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'auth.apiKeys.store',
      'must be an ApiKeyStore',
      'Pass an object with the method find(id).',
      store,
    );
  }
  if (file !== undefined) return fileStore('auth.apiKeys.file', file);
  if (book !== undefined) return bookStore('auth.apiKeys.book', () => checkKeyBook(book));
  const text = env('AUTH_API_KEYS')?.trim();
  const path = env('AUTH_KEYS_FILE')?.trim();
  if (text && path) {
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      'AUTH_API_KEYS',
      'is set beside AUTH_KEYS_FILE',
      'Set one of them.',
    );
  }
  if (text) return bookStore('AUTH_API_KEYS', () => parseKeyBook(text));
  return path ? fileStore('AUTH_KEYS_FILE', path) : undefined;
}

function fileStore(origin: string, path: unknown): Pick<ResolvedApiKeys, 'store' | 'origin'> {
  return { store: new FileKeyStore(readString(origin, path, '')), origin };
}

/** The message names the place of the mistake and shows nothing of the value. */
function bookStore(origin: string, read: () => KeyBook): Pick<ResolvedApiKeys, 'store' | 'origin'> {
  try {
    return { store: new KeyBookStore(read()), origin };
  } catch (error) {
    throw bookError(origin, error);
  }
}

/** What a store could not read, as an error of the configuration. */
export function bookError(option: string, error: unknown): unknown {
  if (!(error instanceof KeyBookError)) return error;
  return new AgentSecurityConfigError(
    'ASEC_AUTH_KEYS',
    option,
    `is no book of keys: ${error.message}`,
    'Make it with "npx nestjs-agent-security keys create".',
  );
}

function resolveSecrets(value: unknown, env: ReadEnvironment): readonly string[] {
  const option = value === undefined ? 'AUTH_KEY_SECRET' : 'auth.apiKeys.secret';
  const given =
    value === undefined
      ? (env('AUTH_KEY_SECRET') ?? '').split(',').map(part => part.trim())
      : typeof value === 'string'
        ? [value]
        : value;
  return checkSecrets(option, given);
}

/** @throws AgentSecurityConfigError, which shows nothing of a secret */
export function checkSecrets(option: string, secrets: unknown): readonly string[] {
  const fits =
    Array.isArray(secrets) &&
    secrets.length > 0 &&
    new Set(secrets).size === secrets.length &&
    secrets.every(secret => typeof secret === 'string' && secret.length >= MIN_PEPPER_LENGTH);
  if (fits) return secrets as string[];
  throw new AgentSecurityConfigError(
    'ASEC_AUTH_SECRET',
    option,
    `must hold one or several different secrets of at least ${MIN_PEPPER_LENGTH} characters`,
    'Make one with "openssl rand -base64 48", and keep it apart from the keys.',
  );
}

export function readPrefix(option: string, value: unknown): string {
  const prefix = readString(option, value, DEFAULT_PREFIX);
  if (PREFIX_FORM.test(prefix)) return prefix;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be 2 to 16 lower-case letters and digits that begin with a letter',
    'Write for example "acme".',
    prefix,
  );
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

/* ---- the rest ---- */

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

/** An absolute URL without fragment (RFC 8707 section 2); HTTPS, but for loopback names. */
function readUrl(option: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const text = readString(option, value, '');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const secure =
    url?.protocol === 'https:' ||
    (url?.protocol === 'http:' && /^(?:localhost|127\.0\.0\.1|\[::1\]|.*\.localhost)$/.test(url.hostname));
  if (
    url !== undefined &&
    secure &&
    url.hash === '' &&
    url.username === '' &&
    /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)
  )
    return text;
  throw receivedError(
    'ASEC_AUTH_URL',
    option,
    'must be an https URL without fragment',
    'Write for example "https://api.example.com"; http is for loopback names.',
    text,
  );
}

/** RFC 9728 section 3.1: the well-known path goes between host and path. */
export function metadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource);
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`;
}
