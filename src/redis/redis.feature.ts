import type { Provider } from '@nestjs/common';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { OWN_STORE, type QuotaStore } from '../limiter/store/quota-store.js';
import { OwnRedis } from './own-redis.js';

interface Options {
  readonly rateLimit: { readonly redisUrl: string | undefined } | false;
}

export const REDIS_PROVIDERS: readonly Provider[] = [
  {
    provide: OwnRedis,
    useFactory: ({ rateLimit }: Options) => OwnRedis.open(rateLimit ? rateLimit.redisUrl : undefined),
    inject: [RESOLVED_OPTIONS],
  },
  {
    provide: OWN_STORE,
    useFactory: ({ store }: OwnRedis): QuotaStore | undefined => store,
    inject: [OwnRedis],
  },
];
