import { integer, type OptionTable, readTable, type ReadOption } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';
import { readClient, type RedisClient } from './redis-client.js';
import { RedisQuotas } from './redis-quotas.js';

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
