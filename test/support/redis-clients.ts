/* The clients of users, connected to a server of the tests. */
import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import type { RedisClient } from '../../src/redis/redis-client.js';
import { closeAfterAll } from './redis.js';

export interface ConnectedClient {
  readonly client: RedisClient;
  close(): Promise<void> | void;
}

export type ClientRow = readonly [
  title: string,
  connect: (ports: readonly number[]) => Promise<ConnectedClient>,
];

function kept(connected: ConnectedClient): ConnectedClient {
  closeAfterAll(connected.close);
  return connected;
}

const ignore = (): void => undefined;

/** One server. */
export const CLIENTS: readonly ClientRow[] = [
  [
    'ioredis',
    async ([port]) => {
      const client = new Redis({
        port: port!,
        host: '127.0.0.1',
        lazyConnect: true,
        retryStrategy: () => 50,
      });
      client.on('error', ignore);
      await client.connect();
      return kept({ client, close: () => client.disconnect() });
    },
  ],
  [
    'node-redis',
    async ([port]) => {
      const client = createClient({
        socket: { host: '127.0.0.1', port: port!, reconnectStrategy: () => 50 },
      });
      client.on('error', ignore);
      await client.connect();
      return kept({ client, close: () => client.destroy() });
    },
  ],
];

/** A Cluster. */
export const CLUSTER_CLIENTS: readonly ClientRow[] = [
  [
    'ioredis',
    async ports => {
      const client = new Cluster(ports.map(port => ({ host: '127.0.0.1', port })));
      client.on('error', ignore);
      return kept({ client, close: () => client.disconnect() });
    },
  ],
  [
    'node-redis',
    async ports => {
      const client = createCluster({ rootNodes: ports.map(port => ({ url: `redis://127.0.0.1:${port}` })) });
      client.on('error', ignore);
      await client.connect();
      return kept({ client, close: () => client.destroy() });
    },
  ],
];
