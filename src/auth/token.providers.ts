/* The providers of tokens. What they consist of is loaded only where tokens are configured. */
import { Logger, type Provider } from '@nestjs/common';
import { CLOCK, type Clock } from '../common/clock.js';
import type { EdgeStage } from '../common/edge-stage.js';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { logText } from '../common/log-text.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import { ApiKeyVerifier } from './api-key-verifier.js';
import type { AuthFeatureOptions } from './auth.options.js';
import { Authenticator } from './authenticator.js';
import type { TokenServices } from './token-services.js';

/** Each is `undefined` where the options configure none. */
export const TOKEN_VERIFIER = Symbol('agent-security:token-verifier');
export const METADATA_STAGE = Symbol('agent-security:metadata-stage');
export const TOKEN_ENDPOINT = Symbol('agent-security:token-endpoint');
const TOKEN_SERVICES = Symbol('agent-security:token-services');

export const TOKEN_PROVIDERS: readonly Provider[] = [
  {
    provide: TOKEN_SERVICES,
    useFactory: async (
      { auth }: AuthFeatureOptions,
      clock: Clock,
      engine: QuotaEngine,
    ): Promise<TokenServices | undefined> => {
      if (!auth || (auth.tokens === undefined && auth.tokenEndpoint === undefined)) return undefined;
      const log = new Logger('Tokens');
      const { createTokenServices } = await import('./token-services.js');
      return createTokenServices(auth, clock, message => log.warn(logText(message)), engine);
    },
    inject: [RESOLVED_OPTIONS, CLOCK, QUOTA_ENGINE],
  },
  {
    provide: TOKEN_VERIFIER,
    useFactory: (services: TokenServices | undefined) => services?.verifier,
    inject: [TOKEN_SERVICES],
  },
  {
    provide: METADATA_STAGE,
    useFactory: (services: TokenServices | undefined): EdgeStage | undefined => services?.metadata,
    inject: [TOKEN_SERVICES],
  },
  {
    provide: TOKEN_ENDPOINT,
    useFactory: async (
      { auth }: AuthFeatureOptions,
      { headers }: ResolvedRateLimit,
      services: TokenServices | undefined,
      clients: ApiKeyVerifier | undefined,
      authenticator: Authenticator | undefined,
      clock: Clock,
      engine: QuotaEngine,
    ): Promise<EdgeStage | undefined> => {
      if (!auth || services === undefined) return undefined;
      const { createTokenEndpoint } = await import('./token-services.js');
      const log = new Logger('Tokens');
      return createTokenEndpoint({ auth, headers, services, clients, authenticator, clock, engine, log });
    },
    inject: [
      RESOLVED_OPTIONS,
      RESOLVED_RATE_LIMIT,
      TOKEN_SERVICES,
      ApiKeyVerifier,
      Authenticator,
      CLOCK,
      QUOTA_ENGINE,
    ],
  },
];
