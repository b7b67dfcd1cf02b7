/* Reads an option that takes a client of ioredis or node-redis. */
import { receivedError } from '../common/read-options.js';
import type { Subscribe } from './subscription.js';
import type { IoredisClient, NodeRedisClient } from './redis-client.js';
import { subscribeIoredis } from './subscribe-ioredis.js';
import { subscribeNodeRedis } from './subscribe-node-redis.js';

export interface ScriptRunner {
  /** Whether the server is a Redis Cluster: all keys of one call must lie in one slot. */
  readonly isCluster: boolean;
  evalsha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  eval(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
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
      evalsha: (sha, keys, args) => client.evalSha(sha, { keys: [...keys], arguments: [...args] }),
      eval: (script, keys, args) => client.eval(script, { keys: [...keys], arguments: [...args] }),
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
