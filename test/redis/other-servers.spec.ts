/* URLs that name a Sentinel or a node of a Cluster, and Sentinels through a client of the app. */
import { Redis } from 'ioredis';
import { createPolicy } from '../../src/limiter/create-policy.js';
import { addKey, EMPTY_BOOK } from '../../src/auth/key-book.js';
import { createRedisStore, RedisKeyStore, RedisQuotaStore } from '../../src/redis/index.js';
import { digests, NOW_MS } from '../support/keys.js';
import {
  closeAfterAll,
  describeWithRedis,
  pause,
  startCluster,
  startRedis,
  startSentinel,
  until,
} from '../support/redis.js';

const policy = createPolicy({ limit: 10, windowMs: 1_000_000 });
const charges = [{ key: 'all:a', policies: [policy], cost: 1 }];

async function failureOf(port: number): Promise<string> {
  const store = await createRedisStore(`redis://127.0.0.1:${port}`);
  closeAfterAll(() => store.close());
  const failures: string[] = [];
  for (const client of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
    await store
      .consume([{ ...charges[0]!, key: client }])
      .catch((error: Error) => failures.push(error.message));
  return failures[0] ?? '';
}

describeWithRedis('a URL of', () => {
  it('a Sentinel is refused with the reason', async () => {
    const master = await startRedis();
    const sentinel = await startSentinel(master);
    expect(await failureOf(sentinel.port)).toContain('a Sentinel needs a client of your own');
  });

  it('a node of a Cluster is refused with the reason', async () => {
    const [node] = await startCluster();
    expect(await failureOf(node!.port)).toContain('a node of a Redis Cluster');
  }, 60_000);
});

describeWithRedis('a client that asks Sentinels', () => {
  it('counts, remembers and follows keys, also after a failover', async () => {
    const master = await startRedis();
    const replica = await startRedis('--replicaof', '127.0.0.1', String(master.port));
    await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'));
    const sentinel = await startSentinel(master);
    const client = new Redis({
      sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
      name: 'main',
      retryStrategy: () => 50,
      sentinelRetryStrategy: () => 50,
    });
    client.on('error', () => undefined);
    closeAfterAll(() => client.disconnect());
    const store = new RedisQuotaStore({ client });
    const keys = new RedisKeyStore({ client, refreshMs: 60_000 });
    await keys.open({ warn: () => undefined, revoked: () => undefined });
    closeAfterAll(() => keys.close());
    expect((await store.consume(charges)).policyStates[0]!.remaining).toBe(9);
    expect(await store.remember('proof', 1_000_000)).toBe(true);
    await until(async () => (await replica.command('DBSIZE')) === '2');
    await until(async () =>
      (await sentinel.command('SENTINEL', 'REPLICAS', 'main')).includes(String(replica.port)),
    );
    await until(async () => {
      // Answered by an error until the Sentinel knows the state of the replica.
      await sentinel.command('SENTINEL', 'FAILOVER', 'main');
      await pause(500);
      return (await replica.command('ROLE')).startsWith('master');
    }, 60_000);
    await master.kill();
    await until(async () => (await store.remember('proof', 1_000_000).catch(() => true)) === false, 30_000);
    expect((await store.consume(charges)).policyStates[0]!.remaining).toBe(8);
    const channel = 'agent-security:keys:changed';
    await until(async () => (await replica.command('PUBSUB', 'NUMSUB', channel)).endsWith('1'), 30_000);
    const added = addKey(EMPTY_BOOK, 'bot', {}, digests, { prefix: 'ask', nowMs: NOW_MS });
    await keys.write(added.book, (await keys.read()).version);
    await until(() => keys.find(added.id) !== undefined);
    expect(keys.find(added.id)).toMatchObject({ id: added.id });
  }, 120_000);
});
