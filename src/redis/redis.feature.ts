/* The store that the module opens itself for `REDIS_URL`. */
import type { Provider } from '@nestjs/common';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { OWN_STORE, type QuotaStore } from '../limiter/store/quota-store.js';

interface Options {
  readonly rateLimit: { readonly redisUrl: string | undefined } | false;
}

export const REDIS_PROVIDERS: readonly Provider[] = [
  {
    provide: OWN_STORE,
    useFactory: async ({ rateLimit }: Options): Promise<QuotaStore | undefined> => {
      if (rateLimit === false || rateLimit.redisUrl === undefined) return undefined;
      // Loaded on demand: most apps have no URL.
      const { openRedisStore } = await import('./redis-store.js');
      return openRedisStore(rateLimit.redisUrl);
    },
    inject: [RESOLVED_OPTIONS],
  },
];
