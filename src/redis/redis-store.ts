/* The store of counts in Redis, through a client of the app or with a connection of its own. */
import { integer, type OptionTable, readTable, type ReadOption } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';
import { type OpenedClient, openClient } from './open-client.js';
import type { RedisClient } from './redis-client.js';
import { RedisQuotas } from './redis-quotas.js';
import { readClient } from './read-client.js';

/**
 * The options of `RedisQuotaStore`.
 * @example
 * const options: RedisQuotaStoreOptions = { client: new Redis(url), prefix: 'shop:', deadlineMs: 50 };
 */
export interface RedisQuotaStoreOptions {
  /**
   * A client of ioredis (`Redis`, `Cluster`) or of node-redis (`createClient`, `createCluster`). It stays yours: you connect and close
   * it.
   */
  client: RedisClient;
  /** Begins every key. Apps that share a Redis but not their limits need one each. @default 'asec:' */
  prefix?: string;
  /** Milliseconds that a request waits for a decision, from 1 to 100. Beyond them `rateLimit.onStoreError` applies. @default 100 */
  deadlineMs?: number;
}

const readPrefix: ReadOption<string> = (option, value = 'asec:') => {
  if (typeof value === 'string' && !/[{}]/.test(value)) return value;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a text without braces, which choose the slot of a Redis Cluster',
    'Leave the braces out.',
    value,
  );
};

const TABLE = {
  client: readClient,
  prefix: readPrefix,
  deadlineMs: integer(100, 1, 100),
} satisfies OptionTable<RedisQuotaStoreOptions>;

/**
 * Counts in Redis or Valkey, which several processes share. A request's charges are one call of one script, by the server's clock;
 * requests of the same moment share the call.
 *
 * In a Redis Cluster, all counts of one partition key lie in one slot and are charged together. A request with several partition keys (a
 * tenant and an agent) is decided in each slot at the same time; if one denies, the others give back what they took.
 * @example rateLimit: { store: new RedisQuotaStore({ client: new Redis(url), prefix: 'shop:' }) }
 */
export class RedisQuotaStore extends RedisQuotas {
  readonly deadlineMs: number;

  /** @throws AgentSecurityConfigError for a wrong option */
  constructor(options: RedisQuotaStoreOptions) {
    const { client, prefix, deadlineMs } = readTable('RedisQuotaStore', options, TABLE);
    super({ runner: client, prefix });
    this.deadlineMs = deadlineMs;
  }
}

/** A store with a connection of its own. Its owner closes it: the module after the last lease is released. */
export class OwnedRedisStore extends RedisQuotaStore {
  readonly #opened: OpenedClient;

  constructor(opened: OpenedClient, options: Omit<RedisQuotaStoreOptions, 'client'> = {}) {
    super({ ...options, client: opened.client });
    this.#opened = opened;
  }

  /** Connects, or keeps trying in the background. Never rejects. */
  connect(): Promise<void> {
    return this.#opened.connect();
  }

  /** Closes the connection; open decisions reject. */
  close(): void {
    this.#opened.close();
  }

  // Not earlier: a start-up that fails must not leave a connection that keeps the process alive.
  onApplicationBootstrap(): Promise<void> {
    return this.connect();
  }
}

/**
 * A store of counts with a connection of its own. `createRedisStore()` creates it. As a provider of an app it connects and closes with
 * the app.
 * @example
 * const store: ConnectedRedisStore = await createRedisStore(url);
 */
export class ConnectedRedisStore extends OwnedRedisStore {
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
  const store = new ConnectedRedisStore(await openClient('createRedisStore(url)', url), options);
  await store.connect();
  return store;
}

/** Opens the store of `REDIS_URL`, not yet connected. */
export async function openRedisStore(url: string): Promise<OwnedRedisStore> {
  return new OwnedRedisStore(await openClient('REDIS_URL', url));
}
