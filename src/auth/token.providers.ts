/* The providers of tokens: their verifier, their metadata and the token endpoint. */
import { Logger, type Provider } from '@nestjs/common';
import { CLOCK, type Clock } from '../common/clock.js';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { logText } from '../common/log-text.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import { MetadataStage } from '../tokens/metadata-stage.js';
import { TokenEndpoint } from '../tokens/token-endpoint.js';
import { ApiKeyVerifier } from './api-key-verifier.js';
import type { AuthFeatureOptions } from './auth.options.js';
import { Authenticator, TOKEN_VERIFIER, type TokenVerifier } from './authenticator.js';
import { createTokenServices, type TokenServices } from './create-token-services.js';

const TOKEN_SERVICES = Symbol('agent-security:token-services');

export const TOKEN_PROVIDERS: readonly Provider[] = [
  {
    provide: TOKEN_SERVICES,
    useFactory: async ({ auth }: AuthFeatureOptions, clock: Clock): Promise<TokenServices | undefined> => {
      if (!auth) return undefined;
      const log = new Logger('Tokens');
      return createTokenServices(auth, clock, message => log.warn(logText(message)));
    },
    inject: [RESOLVED_OPTIONS, CLOCK],
  },
  {
    provide: TOKEN_VERIFIER,
    useFactory: (services: TokenServices | undefined): TokenVerifier | undefined => services?.verifier,
    inject: [TOKEN_SERVICES],
  },
  {
    provide: MetadataStage,
    useFactory: (services: TokenServices | undefined): MetadataStage | undefined => services?.metadata,
    inject: [TOKEN_SERVICES],
  },
  {
    provide: TokenEndpoint,
    useFactory: createTokenEndpoint,
    inject: [RESOLVED_OPTIONS, RESOLVED_RATE_LIMIT, TOKEN_SERVICES, ApiKeyVerifier, Authenticator, CLOCK],
  },
];

function createTokenEndpoint(
  { auth }: AuthFeatureOptions,
  { maxClients, headers }: ResolvedRateLimit,
  services: TokenServices | undefined,
  clients: ApiKeyVerifier | undefined,
  authenticator: Authenticator | undefined,
  clock: Clock,
): TokenEndpoint | undefined {
  if (!auth || services === undefined || !clients || !authenticator) return undefined;
  const { jose, issuer, issuerDpop: dpop } = services;
  if (auth.tokenEndpoint === undefined || issuer === undefined) return undefined;
  const log = new Logger('Tokens');
  return new TokenEndpoint({
    options: auth.tokenEndpoint,
    clients,
    countFailedAttempt: (state, reason, secret) =>
      authenticator.countFailedAttempt(state, reason, undefined, secret)?.headers,
    issuer,
    dpop,
    jose,
    clock,
    realm: auth.realm,
    maxClients,
    sendsQuota: headers,
    logError: message => log.error(logText(message)),
  });
}
