/* The clients of ioredis and node-redis, reduced to the two commands that the stores need, and to subscriptions where they have them. */
import { receivedError } from '../common/read-options.js';
import { type Subscribe, subscribeIoredis, subscribeNodeRedis } from './subscription.js';

/**
 * An ioredis client (`Redis` or `Cluster`, from 5).
 * @example
 * const client: IoredisClient = new Redis('rediss://redis.internal:6380');
 */
export interface IoredisClient {
  evalsha(sha: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>;
  eval(script: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>;
  /** Whether it is connected to a Redis Cluster. */
  readonly isCluster?: boolean;
}

interface NodeRedisOptions {
  keys: string[];
  arguments: string[];
}

/**
 * A node-redis client (`createClient()` or `createCluster()` of `redis`, from 5).
 * @example
 * const client: NodeRedisClient = await createClient({ url }).connect();
 */
export interface NodeRedisClient {
  evalSha(sha: string, options: NodeRedisOptions): Promise<unknown>;
  eval(script: string, options: NodeRedisOptions): Promise<unknown>;
}

/**
 * A Redis client of ioredis or node-redis. You connect and close it.
 * @example
 * const client: RedisClient = new Redis('rediss://redis.internal:6380');
 */
export type RedisClient = IoredisClient | NodeRedisClient;

export interface ScriptRunner {
  /** Whether the server is a Redis Cluster: all keys of one call must lie in one slot. */
  readonly isCluster: boolean;
  evalsha(sha: string, keys: string[], args: string[]): Promise<unknown>;
  eval(script: string, keys: string[], args: string[]): Promise<unknown>;
  /** `undefined` for a client that cannot be duplicated. */
  readonly subscribe: Subscribe | undefined;
}

/** Reads an option that takes a client. @throws AgentSecurityConfigError for anything else */
export function readClient(option: string, client: unknown): ScriptRunner {
  if (isIoredis(client)) {
    return {
      isCluster: client.isCluster === true,
      evalsha: (sha, keys, args) => client.evalsha(sha, keys.length, ...keys, ...args),
      eval: (script, keys, args) => client.eval(script, keys.length, ...keys, ...args),
      subscribe: subscribeIoredis(client, client.isCluster === true),
    };
  }
  if (isNodeRedis(client)) {
    return {
      // Only the cluster client has `masters`.
      isCluster: 'masters' in client,
      evalsha: (sha, keys, args) => client.evalSha(sha, { keys, arguments: args }),
      eval: (script, keys, args) => client.eval(script, { keys, arguments: args }),
      subscribe: subscribeNodeRedis(client, 'masters' in client),
    };
  }
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a client of ioredis or of redis (node-redis)',
    'Pass what `new Redis()` or `createClient()` returns.',
    client,
  );
}

const has = (client: unknown, method: string): boolean =>
  typeof client === 'object' &&
  client !== null &&
  typeof (client as Record<string, unknown>)[method] === 'function';

const isIoredis = (client: unknown): client is IoredisClient => has(client, 'evalsha') && has(client, 'eval');

const isNodeRedis = (client: unknown): client is NodeRedisClient =>
  has(client, 'evalSha') && has(client, 'eval');
