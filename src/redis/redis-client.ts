/* The clients of ioredis and node-redis, reduced to the two commands that the stores need, and to subscriptions where they have them. */

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
