import { ApplicationConfig } from '@nestjs/core';
import { type Feature, type GuardEntry, RESOLVED_OPTIONS } from '../common/feature.js';
import { UNGUARDED_LIMITER } from '../common/unguarded-limiter.js';
import { QUOTA_LIMITER } from '../limiter/quota-limiter.js';
import { OWN_STORE, type QuotaStore } from '../limiter/store/quota-store.js';
import { KNOWN_DENIALS, KnownDenials } from './known-denials.js';
import { RateLimitGuard } from './rate-limit.guard.js';
import {
  RATE_LIMIT_OFF,
  RESOLVED_RATE_LIMIT,
  type ResolvedRateLimit,
  resolveRateLimit,
} from './rate-limit.options.js';
import { RateLimiter } from './rate-limiter.js';

export interface RateLimitFeatureOptions {
  readonly rateLimit: ResolvedRateLimit | false;
}

export const RATE_LIMIT: Feature<'rateLimit', ResolvedRateLimit | false> = {
  key: 'rateLimit',
  resolve: (input, env, { auth }) => resolveRateLimit(input, env, auth !== false),
  providers: [
    {
      provide: RESOLVED_RATE_LIMIT,
      useFactory: ({ rateLimit }: RateLimitFeatureOptions, own: QuotaStore | undefined): ResolvedRateLimit =>
        rateLimit ? { ...rateLimit, store: rateLimit.store ?? own } : RATE_LIMIT_OFF,
      inject: [RESOLVED_OPTIONS, OWN_STORE],
    },
    {
      provide: KNOWN_DENIALS,
      useFactory: (config: ApplicationConfig) => new KnownDenials(config),
      inject: [ApplicationConfig],
    },
    { provide: UNGUARDED_LIMITER, useExisting: RateLimitGuard },
    { provide: QUOTA_LIMITER, useExisting: RateLimiter },
    RateLimiter,
    RateLimitGuard,
  ],
  exports: [RateLimiter, RateLimitGuard],
};

export const RATE_LIMIT_GUARD: GuardEntry<RateLimitFeatureOptions> = {
  token: RateLimitGuard,
  isOn: ({ rateLimit }) => rateLimit !== false,
  guardsMessages: true,
};
