import type { OnApplicationBootstrap } from '@nestjs/common';
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
