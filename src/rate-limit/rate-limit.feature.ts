import { Logger } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { CLOCK, type Clock } from '../common/clock.js';
import { type Feature, type GuardEntry, RESOLVED_OPTIONS } from '../common/feature.js';
import { PROBE } from '../common/probe.js';
import { UNGUARDED_LIMITER } from '../common/unguarded-limiter.js';
import { SecurityEvents } from '../events/security-events.js';
import type { LimitProbe } from '../limiter/limit-probe.js';
import { QUOTA_ENGINE, QuotaEngine } from '../limiter/quota-engine.js';
import { OWN_STORE, type QuotaStore } from '../limiter/store/quota-store.js';
import { loadThrottler, replacesGuard } from './late-throttler.guard.js';
import { RateLimitGuard } from './rate-limit.guard.js';
import { summarizeLimits } from './summarize-limits.js';
import {
  RESOLVED_RATE_LIMIT,
  type ResolvedRateLimit,
  resolveRateLimit,
  withoutLimits,
} from './rate-limit.options.js';
import { RateLimiter } from './rate-limiter.js';

export interface RateLimitFeatureOptions {
  readonly rateLimit: ResolvedRateLimit | false;
}

export const RATE_LIMIT: Feature<'rateLimit', ResolvedRateLimit | false> = {
  key: 'rateLimit',
  resolve: (input, env, { auth }) => resolveRateLimit(input, env, auth !== false),
  summarize: summarizeLimits,
  providers: [
    {
      provide: RESOLVED_RATE_LIMIT,
      useFactory: async (
        { rateLimit }: RateLimitFeatureOptions,
        own: QuotaStore | undefined,
        modules: ModulesContainer,
      ): Promise<ResolvedRateLimit> => {
        await loadThrottler(replacesGuard(modules, RateLimitGuard));
        return rateLimit ? { ...rateLimit, store: rateLimit.store ?? own } : withoutLimits();
      },
      inject: [RESOLVED_OPTIONS, OWN_STORE, ModulesContainer],
    },
    {
      provide: QUOTA_ENGINE,
      useFactory: (settings: ResolvedRateLimit, clock: Clock, events: SecurityEvents, probe?: LimitProbe) =>
        new QuotaEngine(settings, clock, new Logger(RateLimiter.name), events, probe),
      inject: [RESOLVED_RATE_LIMIT, CLOCK, SecurityEvents, PROBE],
    },
    { provide: UNGUARDED_LIMITER, useExisting: RateLimitGuard },
    RateLimiter,
    RateLimitGuard,
  ],
  // A subclass of ProblemDetailsFilter in a module of the app needs UNGUARDED_LIMITER.
  exports: [RateLimiter, RateLimitGuard, UNGUARDED_LIMITER],
};

export const RATE_LIMIT_GUARD: GuardEntry<RateLimitFeatureOptions> = {
  token: RateLimitGuard,
  isOn: ({ rateLimit }) => rateLimit !== false,
  guardsMessages: true,
};
