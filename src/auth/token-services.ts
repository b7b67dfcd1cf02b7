/* Creates the services of tokens from the options: the verifier, the metadata, the issuer and the token endpoint. Loaded only where tokens
 * are configured. */
import type { Clock } from '../common/clock.js';
import { type Log, logText } from '../common/log-text.js';
import type { ApiKeyStore } from '../identity/api-key-store.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import { SharedLimit } from '../limiter/shared-limit.js';
import { createDpopRules, createTrust } from '../tokens/create-trust.js';
import { type Jose, loadJose } from '../tokens/read-jws.js';
import { KeySet } from '../tokens/key-set.js';
import { metadataDocuments, MetadataStage } from '../tokens/metadata-stage.js';
import { SIGNING_KEY_TIMES, type SigningKey } from '../tokens/signing-keys.js';
import { DEFAULT_CLAIM_NAMES, readAgent, type TokenClaims } from '../tokens/token-claims.js';
import { TokenEndpoint } from '../tokens/token-endpoint.js';
import type { ResolvedTokenEndpoint } from '../tokens/token-endpoint.options.js';
import { KEY_ID_CLAIM, TokenIssuer } from '../tokens/token-issuer.js';
import { PUBLIC_KEY_ALGORITHMS, UnusableKeyError } from '../tokens/token-key.js';
import { keyError } from '../tokens/token-keys.options.js';
import { SignedTokenVerifier, type TokenTrust } from '../tokens/token-verifier.js';
import type { ResolvedTokens } from '../tokens/tokens.options.js';
import type { ApiKeyVerifier } from './api-key-verifier.js';
import type { ResolvedAuth } from './auth.options.js';
import type { Authenticator } from './authenticator.js';

export interface TokenServices {
  readonly jose: Jose;
  readonly verifier: SignedTokenVerifier;
  readonly metadata: MetadataStage | undefined;
  /** Only with `auth.tokenEndpoint`. */
  readonly issuer: TokenIssuer | undefined;
}

/** The clock tolerance between the processes of one app. */
const OWN_TOLERANCE_MS = 5_000;
const DEFAULT_METADATA_MAX_AGE_MS = 300_000;

type Warn = (message: string) => void;

interface TokenEndpointParts {
  readonly auth: ResolvedAuth;
  /** `rateLimit.headers` */
  readonly headers: boolean;
  readonly services: TokenServices;
  readonly clients: ApiKeyVerifier | undefined;
  readonly authenticator: Authenticator | undefined;
  readonly clock: Clock;
  readonly engine: QuotaEngine;
  readonly log: Log;
}

/** `undefined` without `auth.tokenEndpoint`. */
export function createTokenEndpoint(parts: TokenEndpointParts): TokenEndpoint | undefined {
  const { auth, headers, services, clients, authenticator, clock, engine, log } = parts;
  if (!auth.tokenEndpoint || !services.issuer || !clients || !authenticator) return undefined;
  return new TokenEndpoint({
    options: auth.tokenEndpoint,
    clients,
    countFailedAttempt: (state, reason, secret) =>
      authenticator.countFailedAttempt(state, { reason, credential: secret }),
    issuer: services.issuer,
    dpop: createDpopRules(auth.tokenEndpoint.dpop, OWN_TOLERANCE_MS, auth.tokenEndpoint.path, engine),
    jose: services.jose,
    clock,
    realm: auth.realm,
    limit: new SharedLimit(auth.tokenEndpoint.limit, engine),
    sendsQuota: headers,
    logError: message => log.error(logText(message)),
  });
}

/** For `auth.tokens`, `auth.tokenEndpoint` or both. @throws AgentSecurityConfigError for signing keys that cannot be used */
export async function createTokenServices(
  auth: ResolvedAuth,
  clock: Clock,
  warn: Warn,
  engine: QuotaEngine,
): Promise<TokenServices> {
  const { tokens, tokenEndpoint, apiKeys, resource } = auth;
  const jose = await loadJose();
  const trusts: TokenTrust[] = [];
  if (tokens !== undefined)
    trusts.push(createTrust(tokens, clock, warn, id => isDisabled(apiKeys?.store, id), engine));
  let issuer: TokenIssuer | undefined;
  if (tokenEndpoint !== undefined) {
    const keys = await loadSigningKeys(tokenEndpoint, clock, warn);
    issuer = new TokenIssuer(tokenEndpoint.issuer, tokenEndpoint.lifetimeMs, keys, jose, clock);
    trusts.push(ownTrust(tokenEndpoint, resource!, keys, apiKeys!.store, clock, engine));
  }
  return {
    jose,
    verifier: new SignedTokenVerifier(trusts, jose, clock),
    metadata: createMetadataStage(auth, issuer, clock),
    issuer,
  };
}

async function loadSigningKeys(
  { readKeys }: ResolvedTokenEndpoint,
  clock: Clock,
  warn: Warn,
): Promise<KeySet<SigningKey>> {
  const keys = new KeySet<SigningKey>(readKeys, SIGNING_KEY_TIMES, () => clock.monotonicMs(), warn);
  try {
    await keys.open();
  } catch (error) {
    if (error instanceof UnusableKeyError) throw keyError('auth.tokenEndpoint.signingKeys', error.message);
    throw error;
  }
  return keys;
}

/** Trusts the endpoint's own tokens: signed by its keys, for this API, while their agent and API key are valid. */
function ownTrust(
  { issuer, lifetimeMs, dpop }: ResolvedTokenEndpoint,
  resource: string,
  keys: KeySet<SigningKey>,
  store: ApiKeyStore,
  clock: Clock,
  engine: QuotaEngine,
): TokenTrust {
  return {
    issuer,
    // Not all resources of the endpoint: tokens for another API are invalid here (RFC 8707 section 2, RFC 9700 section 2.3).
    audiences: [resource],
    algorithms: [...PUBLIC_KEY_ALGORITHMS.keys()],
    types: ['at+jwt'],
    maxAgeMs: lifetimeMs,
    clockToleranceMs: OWN_TOLERANCE_MS,
    keys: {
      get version() {
        return keys.version;
      },
      refresh: nowMs => keys.refresh(nowMs),
      reload: nowMs => keys.reload(nowMs),
      // A key also expires while the set does not change.
      find: (alg, kid) => keys.find(alg, kid, ({ expiresMs }) => expiresMs > clock.epochMs()),
    },
    dpop: createDpopRules(dpop, OWN_TOLERANCE_MS, issuer, engine),
    toAgent: claims => readAgent(claims, DEFAULT_CLAIM_NAMES),
    isRevoked: (id, claims) => isRevoked(store, id, claims, clock.epochMs()),
  };
}

function isDisabled(store: ApiKeyStore | undefined, id: string): boolean | Promise<boolean> {
  const found = store?.findAgent?.(id);
  return found instanceof Promise ? found.then(agent => agent?.disabled === true) : found?.disabled === true;
}

/** Whether the agent or the API key that a token was issued for was revoked, disabled or removed since. */
function isRevoked(
  store: ApiKeyStore,
  id: string,
  claims: TokenClaims,
  nowMs: number,
): boolean | Promise<boolean> {
  const keyId = claims[KEY_ID_CLAIM];
  const key = typeof keyId === 'string' ? store.find(keyId) : undefined;
  const agent = store.findAgent === undefined ? null : store.findAgent(id);
  const decide = ([record, current]: [Awaited<typeof key>, Awaited<typeof agent>]): boolean =>
    record === undefined ||
    record.revoked === true ||
    (record.expiresMs !== undefined && record.expiresMs <= nowMs) ||
    record.agent.disabled === true ||
    record.agent.id !== id ||
    current === undefined ||
    current?.disabled === true;
  return key instanceof Promise || agent instanceof Promise
    ? Promise.all([key, agent]).then(decide)
    : decide([key, agent]);
}

/** Tokens without an audience are checked by their client. */
const isFor = ({ audiences }: ResolvedTokens, resource: string): boolean =>
  audiences.length === 0 || audiences.includes(resource);

function createMetadataStage(
  { resource, tokens, tokenEndpoint }: ResolvedAuth,
  issuer: TokenIssuer | undefined,
  clock: Clock,
): MetadataStage | undefined {
  const issuesOwn = resource !== undefined && tokenEndpoint?.resources.includes(resource) === true;
  // Of the endpoint's resources, only this API is described here: the others serve their own metadata.
  const described = resource !== undefined && {
    resource,
    issuers: [
      ...(issuesOwn ? [tokenEndpoint.issuer] : []),
      ...(tokens !== undefined && isFor(tokens, resource) ? [tokens.issuer] : []),
    ],
    scopes: tokenEndpoint?.scopes ?? [],
    dpop: issuesOwn ? tokenEndpoint.dpop : tokens?.dpop,
  };
  const documents = metadataDocuments(tokenEndpoint, described || undefined);
  if (documents.size === 0) return undefined;
  const keys = tokenEndpoint && issuer && { path: tokenEndpoint.jwksPath, issuer };
  return new MetadataStage(
    documents,
    tokenEndpoint?.metadataMaxAgeMs ?? DEFAULT_METADATA_MAX_AGE_MS,
    keys,
    clock,
  );
}
