export {
  type ConnectedRedisKeyStore,
  createRedisKeyStore,
  RedisKeyStore,
  type RedisKeyStoreOptions,
} from './key-store.js';
export { type IoredisClient, type NodeRedisClient, type RedisClient } from './redis-client.js';
export {
  type ConnectedRedisStore,
  createRedisStore,
  RedisQuotaStore,
  type RedisQuotaStoreOptions,
} from './redis-store.js';
