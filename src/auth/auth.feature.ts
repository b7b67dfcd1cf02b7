/* Authentication and authorization: the providers, the guards, and what the app can inject. */
import { Logger } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { MAY_CARRY_AGENT, type MayCarryAgent } from '../common/agent.js';
import { CLOCK, type Clock, TIMERS, type Timers } from '../common/clock.js';
import {
  type Feature,
  type FeatureSummary,
  type GuardEntry,
  provideOptions,
  RESOLVED_OPTIONS,
} from '../common/feature.js';
import { logText } from '../common/log-text.js';
import { risk } from '../common/risk.js';
import { SecurityEvents } from '../events/security-events.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { SharedLimit } from '../limiter/shared-limit.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import { ROUTE_DESCRIBERS, type RouteDescriber } from '../common/describe-route.js';
import type { SignedTokenVerifier } from '../tokens/token-verifier.js';
import { ApiKeyVerifier } from './api-key-verifier.js';
import { bookError } from './api-keys.options.js';
import { AuthGuard } from './auth.guard.js';
import { type AuthFeatureOptions, RESOLVED_AUTH, type ResolvedAuth, resolveAuth } from './auth.options.js';
import { checkTiers } from './check-tiers.js';
import { Authenticator } from './authenticator.js';
import { Gateways, HandshakeAuthenticator } from './gateways.js';
import { OpenConnections } from './open-connections.js';
import { installOpenApi, OpenApiDescriber, securitySchemes } from './openapi-describer.js';
import { RouteAccesses } from './route-accesses.js';
import { TOKEN_PROVIDERS, TOKEN_VERIFIER } from './token.providers.js';
import { ScopesGuard } from './scopes.guard.js';

export const AUTH: Feature<'auth', ResolvedAuth | false> = {
  key: 'auth',
  summarize: summarizeAuth,
  resolve: resolveAuth,
  providers: [
    provideOptions(RESOLVED_AUTH, ({ auth }: AuthFeatureOptions) => auth),
    provideOptions(MAY_CARRY_AGENT, mayCarryAgent),
    {
      provide: OpenConnections,
      useFactory: (clock: Clock, timers: Timers, events: SecurityEvents) =>
        new OpenConnections(clock, timers, events),
      inject: [CLOCK, TIMERS, SecurityEvents],
    },
    {
      provide: ApiKeyVerifier,
      useFactory: openApiKeys,
      inject: [RESOLVED_OPTIONS, CLOCK, SecurityEvents, OpenConnections],
    },
    ...TOKEN_PROVIDERS,
    {
      provide: Authenticator,
      useFactory: (
        { auth }: AuthFeatureOptions,
        { headers }: ResolvedRateLimit,
        apiKeys: ApiKeyVerifier | undefined,
        tokens: SignedTokenVerifier | undefined,
        clock: Clock,
        events: SecurityEvents,
        connections: OpenConnections,
        engine: QuotaEngine,
      ): Authenticator | undefined => {
        if (!auth) return undefined;
        const log = new Logger('AgentSecurity');
        const options = auth;
        return new Authenticator({
          options,
          apiKeys,
          tokens,
          clock,
          events,
          connections,
          failedAttempts: auth.failedAttempts && new SharedLimit(auth.failedAttempts, engine),
          headers,
          log,
        });
      },
      inject: [
        RESOLVED_OPTIONS,
        RESOLVED_RATE_LIMIT,
        ApiKeyVerifier,
        TOKEN_VERIFIER,
        CLOCK,
        SecurityEvents,
        OpenConnections,
        QUOTA_ENGINE,
      ],
    },
    {
      provide: Gateways,
      useFactory: ({ auth }: AuthFeatureOptions, modules: ModulesContainer, config: ApplicationConfig) =>
        new Gateways(modules, config, auth ? auth.publicPaths : new Set()),
      inject: [RESOLVED_OPTIONS, ModulesContainer, ApplicationConfig],
    },
    {
      provide: HandshakeAuthenticator,
      useFactory: (
        { auth }: AuthFeatureOptions,
        authenticator: Authenticator | undefined,
        gateways: Gateways,
      ): HandshakeAuthenticator | undefined =>
        auth && authenticator
          ? new HandshakeAuthenticator(authenticator, auth.urlParameters, gateways)
          : undefined,
      inject: [RESOLVED_OPTIONS, Authenticator, Gateways],
    },
    {
      provide: OpenApiDescriber,
      // Not in onModuleInit: documents are created between NestFactory.create() and listen().
      useFactory: async (
        { auth }: AuthFeatureOptions,
        accesses: RouteAccesses,
        tokens: SignedTokenVerifier | undefined,
        modules: ModulesContainer,
        describers: readonly RouteDescriber[],
      ): Promise<OpenApiDescriber | undefined> => {
        if (auth && !auth.openapi) return undefined;
        await installOpenApi();
        const schemes = securitySchemes({
          apiKeys: auth && auth.apiKeys !== undefined,
          tokens: tokens !== undefined,
          dpop: tokens !== undefined && tokens.challenges.length > 0,
        });
        return new OpenApiDescriber(modules, accesses, schemes, describers);
      },
      inject: [RESOLVED_OPTIONS, RouteAccesses, TOKEN_VERIFIER, ModulesContainer, ROUTE_DESCRIBERS],
    },
    RouteAccesses,
    AuthGuard,
    ScopesGuard,
  ],
  exports: [Authenticator, ApiKeyVerifier, RouteAccesses, AuthGuard, ScopesGuard],
};

function summarizeAuth(auth: ResolvedAuth | false): FeatureSummary {
  if (auth === false)
    return { text: 'identity: none (auth is off), so that routes are open to every client' };
  const { apiKeys, tokens, identify, tokenEndpoint, failedAttempts } = auth;
  const kinds = [
    ...(apiKeys === undefined ? [] : [`API keys (${apiKeys.origin})`]),
    ...(tokens === undefined ? [] : [`tokens of ${tokens.issuer}`]),
    ...(tokenEndpoint === undefined ? [] : [`tokens of its own endpoint ${tokenEndpoint.path}`]),
    ...(identify === undefined ? [] : ['auth.identify']),
  ];
  return {
    text: `identity: ${kinds.join(', ')}`,
    warnings: [
      ...(tokenEndpoint?.hasEphemeralKey === true
        ? [
            risk(
              'ASEC-C009',
              'auth.tokenEndpoint.insecureEphemeralKey',
              'is on',
              'tokens end with this process, and no other process accepts them',
              'Set auth.tokenEndpoint.signingKeys.',
            ),
          ]
        : []),
      ...(failedAttempts === undefined
        ? [
            risk(
              'ASEC-C010',
              'auth.failedAttempts',
              'is off',
              'credentials can be guessed without a limit',
              'Leave it out, or set a limit such as "10/minute".',
            ),
          ]
        : []),
    ],
  };
}

export const AUTH_GUARD: GuardEntry<AuthFeatureOptions> = {
  token: AuthGuard,
  isOn: ({ auth }) => auth !== false,
  guardsMessages: true,
};
export const SCOPES_GUARD: GuardEntry<AuthFeatureOptions> = { ...AUTH_GUARD, token: ScopesGuard };

async function openApiKeys(
  { auth, rateLimit }: AuthFeatureOptions & { readonly rateLimit: ResolvedRateLimit | false },
  clock: Clock,
  events: SecurityEvents,
  connections: OpenConnections,
): Promise<ApiKeyVerifier | undefined> {
  if (!auth || auth.apiKeys === undefined) return undefined;
  const { store, origin, digests, prefix } = auth.apiKeys;
  const log = new Logger('ApiKeys');
  try {
    await store.open?.({
      warn: message => log.warn(logText(message)),
      revoked: (keyId, agent) => {
        events.emit({ type: 'auth.key-revoked', timeMs: clock.epochMs(), agent, keyId });
        connections.checkSoon();
      },
    });
  } catch (error) {
    throw bookError(origin, error);
  }
  // With `rateLimit.tier`, the tiers of agents are for the app.
  try {
    if (rateLimit && rateLimit.tiers.size > 0 && rateLimit.tier === undefined)
      checkTiers(origin, store.agents?.() ?? [], [...rateLimit.tiers.keys()]);
  } catch (error) {
    await store.close?.();
    throw error;
  }
  return new ApiKeyVerifier(store, digests, prefix, clock);
}

/** `auth.identify` may read any part of a request; all other credentials come in two headers. */
function mayCarryAgent({ auth }: AuthFeatureOptions): MayCarryAgent {
  if (auth === false) return () => false;
  if (auth.identify !== undefined) return () => true;
  return ({ headers }) => headers.authorization !== undefined || headers['x-api-key'] !== undefined;
}
