import { type OpenedClient, openClient } from './open-client.js';
import { checkRedisUrl } from '../common/redis-url.js';
import { within } from '../common/deadlines.js';
import { RedisQuotaStore, type RedisQuotaStoreOptions } from './redis-store.js';

/** How long the start-up waits for a Redis that does not answer. */
const START_MS = 1_000;

/**
 * A store of counts with a connection of its own. `createRedisStore()` creates it. As a provider of an app it connects and closes with
 * the app.
 * @example
 * const store: ConnectedRedisStore = await createRedisStore(url);
 */
export class ConnectedRedisStore extends RedisQuotaStore {
  readonly #opened: OpenedClient;

  constructor(opened: OpenedClient, options: Omit<RedisQuotaStoreOptions, 'client'>) {
    super({ ...options, client: opened.client });
    this.#opened = opened;
  }

  /** Connects, or keeps trying in the background. Never rejects. */
  async connect(): Promise<void> {
    await within(this.#opened.connect(), START_MS).catch(() => undefined);
  }

  /** Closes the connection; open decisions reject. */
  close(): void {
    this.#opened.close();
  }

  // Not earlier: a start-up that fails must not leave a connection that keeps the process alive.
  onApplicationBootstrap(): Promise<void> {
    return this.connect();
  }

  // Not earlier: requests that are still being answered are still limited.
  onApplicationShutdown(): void {
    this.close();
  }
}

/**
 * Opens a store for a URL, through ioredis or node-redis, whichever is installed. Its client never queues commands: while Redis is down,
 * decisions fail at once. Close it with your app.
 * @throws AgentSecurityConfigError for an invalid URL, or if neither client is installed
 * @example
 * const store = await createRedisStore('rediss://user:password@redis.internal:6380');
 */
export async function createRedisStore(
  url: string,
  options: Omit<RedisQuotaStoreOptions, 'client'> = {},
): Promise<ConnectedRedisStore> {
  const store = await openRedisStore('createRedisStore(url)', url, options);
  await store.connect();
  return store;
}

/** The same, not yet connected. */
export async function openRedisStore(
  option: string,
  url: string,
  options: Omit<RedisQuotaStoreOptions, 'client'> = {},
): Promise<ConnectedRedisStore> {
  checkRedisUrl(option, url);
  return new ConnectedRedisStore(await openClient(option, url), options);
}
