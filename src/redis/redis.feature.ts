import type { OnApplicationBootstrap, Provider } from '@nestjs/common';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { OWN_STORE, type QuotaStore } from '../limiter/store/quota-store.js';
import type { Closable } from '../common/feature.js';
import type { ConnectedRedisStore } from './open-store.js';

/** The connection that the module opens itself for `REDIS_URL`. */
export class OwnRedis implements OnApplicationBootstrap, Closable {
  private constructor(readonly store: ConnectedRedisStore | undefined) {}

  /** Loads the Redis client on demand: apps without a URL need none. */
  static async open(url: string | undefined): Promise<OwnRedis> {
    if (url === undefined) return new OwnRedis(undefined);
    const { openRedisStore } = await import('./open-store.js');
    return new OwnRedis(await openRedisStore('REDIS_URL', url));
  }

  /** Not earlier: a start-up that fails must not leave a connection that keeps the process alive. */
  async onApplicationBootstrap(): Promise<void> {
    await this.store?.connect();
  }

  close(): void {
    this.store?.close();
  }
}

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
