export {
  type ConnectedRedisKeyStore,
  createRedisKeyStore,
  RedisKeyStore,
  type RedisKeyStoreOptions,
} from './key-store.js';
export { type ConnectedRedisStore, createRedisStore } from './open-store.js';
export { type IoredisClient, type NodeRedisClient, type RedisClient } from './redis-client.js';
export { RedisQuotaStore, type RedisQuotaStoreOptions } from './redis-store.js';
