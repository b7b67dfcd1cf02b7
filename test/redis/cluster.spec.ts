import { addKey, EMPTY_BOOK } from '../../src/auth/key-book.js';
import type { QuotaDecision } from '../../src/limiter/consume.js';
import { createPolicy } from '../../src/limiter/create-policy.js';
import { slotOf } from '../../src/redis/quota-keys.js';
import { RedisKeyStore } from '../../src/redis/key-store.js';
import { RedisQuotaStore } from '../../src/redis/redis-store.js';
import { digests, NOW_MS } from '../support/keys.js';
import { describeWithRedis, type RedisServer, startCluster, until } from '../support/redis.js';
import { CLUSTER_CLIENTS, type ConnectedClient } from '../support/redis-clients.js';

const remaining = ({ policyStates }: QuotaDecision): number[] =>
  policyStates.map(policyState => policyState.remaining);

describeWithRedis('a Redis Cluster of three nodes', () => {
  let nodes: readonly RedisServer[];
  beforeAll(async () => void (nodes = await startCluster()), 60_000);

  describe.each(CLUSTER_CLIENTS)('through %s', (title, connect) => {
    let connected: ConnectedClient;
    let store: RedisQuotaStore;
    beforeAll(async () => {
      connected = await connect(nodes.map(({ port }) => port));
      store = new RedisQuotaStore({ client: connected.client, prefix: `${title}:` });
      await until(async () => {
        try {
          return (await store.consume([{ key: 'warm', policies: [], cost: 1 }])).granted;
        } catch {
          return false;
        }
      });
    });

    const three = [1_000_000, 2_000_000, 3_000_000].map(windowMs => createPolicy({ limit: 10, windowMs }));

    it('counts clients on every node', async () => {
      const consume = (client: string): Promise<QuotaDecision> =>
        store.consume([
          { key: `all:${client}`, scope: 'all', partitionKey: client, policies: three, cost: 1 },
        ]);
      const clients = Array.from({ length: 60 }, (_, index) => `192.0.2.${index}`);
      for (const left of [9, 8]) {
        const decisions = await Promise.all(clients.map(consume));
        expect(decisions.map(remaining)).toEqual(clients.map(() => [left, left, left]));
      }
      for (const node of nodes) {
        const keys = (await node.command('--scan', '--pattern', `${title}:*`)).split('\n').filter(Boolean);
        expect(keys.length).toBeGreaterThan(5);
        for (const key of keys) expect(Number(await node.command('PTTL', key))).toBeGreaterThan(0);
      }
    });

    it('decides on all quotas of one partition key together', async () => {
      const charge = (scope: string, limit: number) => ({
        key: `${scope}:198.51.100.1`,
        scope,
        partitionKey: '198.51.100.1',
        policies: [createPolicy({ limit, windowMs: 1_000_000 })],
        cost: 1,
      });
      const decisions = [];
      for (let turn = 0; turn < 3; turn++)
        decisions.push(await store.consume([charge('a', 5), charge('b', 2)]));
      expect(decisions.map(({ granted }) => granted)).toEqual([true, true, false]);
      expect(decisions.map(remaining)).toEqual([
        [4, 1],
        [3, 0],
        [3, 0],
      ]);
    });

    it('gives back the units of one partition key if another denies', async () => {
      const agent = createPolicy({ limit: 100, windowMs: 1_000_000 });
      const bucket = createPolicy({ limit: 50, windowMs: 1_000_000, algorithm: 'token-bucket' });
      const fixed = createPolicy({ limit: 50, windowMs: 1_000_000, algorithm: 'fixed-window' });
      const tenant = createPolicy({ limit: 5, windowMs: 1_000_000 });
      const charges = [
        {
          key: 'agent:198.51.100.2',
          scope: 'agent',
          partitionKey: '198.51.100.2',
          policies: [agent, bucket, fixed],
          cost: 3,
        },
        { key: 'tenant:acme', scope: 'tenant', partitionKey: 'acme', policies: [tenant], cost: 1 },
      ];
      const decisions = [];
      for (let turn = 0; turn < 8; turn++) decisions.push(await store.consume(charges));
      expect(decisions.map(({ granted }) => granted)).toEqual([
        true,
        true,
        true,
        true,
        true,
        false,
        false,
        false,
      ]);
      expect(remaining(decisions[4]!)).toEqual([85, 35, 35, 0]);
      expect(remaining(decisions[7]!)).toEqual([85, 35, 35, 0]);
      expect(decisions[7]!.policyStates.map(({ violated }) => violated)).toEqual([false, false, false, true]);
      expect(decisions[7]!.policyStates.map(({ policy }) => policy)).toEqual([agent, bucket, fixed, tenant]);
    });

    it('gives back nothing for a policy in shadow mode that took nothing', async () => {
      const shadow = createPolicy({ limit: 2, windowMs: 1_000_000, shadow: true });
      const agent = createPolicy({ limit: 100, windowMs: 1_000_000 });
      const tenant = createPolicy({ limit: 3, windowMs: 1_000_000 });
      const charges = [
        {
          key: 'shadow:198.51.100.3',
          scope: 'shadow',
          partitionKey: '198.51.100.3',
          policies: [shadow, agent],
          cost: 1,
        },
        { key: 'shadow:initech', scope: 'shadow', partitionKey: 'initech', policies: [tenant], cost: 1 },
      ];
      const decisions = [];
      for (let turn = 0; turn < 5; turn++) decisions.push(await store.consume(charges));
      expect(decisions.map(({ granted }) => granted)).toEqual([true, true, true, false, false]);
      expect(decisions.map(remaining)).toEqual([
        [1, 99, 2],
        [0, 98, 1],
        [0, 97, 0],
        [0, 97, 0],
        [0, 97, 0],
      ]);
    });

    it('settles, renews and resets in every slot', async () => {
      const budget = createPolicy({ limit: 100, windowMs: 1_000_000 });
      const concurrent = createPolicy({ limit: 4, windowMs: 60_000, algorithm: 'concurrency' });
      const charges = (cost: number) => [
        {
          key: 'budget:198.51.100.4',
          scope: 'budget',
          partitionKey: '198.51.100.4',
          policies: [budget],
          cost,
        },
        { key: 'budget:globex', scope: 'budget', partitionKey: 'globex', policies: [budget], cost },
        {
          key: 'budget:hooli',
          scope: 'budget',
          partitionKey: 'hooli',
          policies: [concurrent],
          cost: Math.min(cost, 1),
        },
      ];
      await store.consume(charges(40));
      const token = charges(40).slice(0, 2);
      expect(remaining(await store.settle(token, -30, 0))).toEqual([90, 90]);
      expect(remaining(await store.settle(token, 100, 0))).toEqual([0, 0]);
      expect(remaining(await store.renew(charges(1).slice(2), 10))).toEqual([3]);
      await store.reset(charges(1));
      expect(remaining(await store.consume(charges(0)))).toEqual([100, 100, 4]);
    });

    it('remembers keys on every node, once', async () => {
      const proofs = Array.from({ length: 60 }, (_, index) => `proof ${index}`);
      const remember = (): Promise<boolean[]> =>
        Promise.all(proofs.map(proof => store.remember(proof, 1_000_000)));
      expect(await remember()).toEqual(proofs.map(() => true));
      expect(await remember()).toEqual(proofs.map(() => false));
      for (const node of nodes) {
        const found = (await node.command('--scan', '--pattern', `${title}:*!`)).split('\n').filter(Boolean);
        expect(found.length).toBeGreaterThan(5);
        for (const key of found) expect(Number(await node.command('PTTL', key))).toBeGreaterThan(0);
      }
    });

    it('tells every process of a changed key, whichever node it listens to', async () => {
      const key = `${title}:keys`;
      const hooks = { warn: jest.fn(), revoked: jest.fn() };
      const reader = new RedisKeyStore({ client: connected.client, key, refreshMs: 60_000 });
      await reader.open(hooks);
      const isSubscribed = async (node: RedisServer): Promise<boolean> =>
        (await node.command('PUBSUB', 'NUMSUB', `${key}:changed`)).endsWith('1');
      await until(async () => (await Promise.all(nodes.map(isSubscribed))).includes(true));
      const added = addKey(EMPTY_BOOK, 'bot', {}, digests, { prefix: 'ask', nowMs: NOW_MS });
      const other = await connect(nodes.map(({ port }) => port));
      const writer = new RedisKeyStore({ client: other.client, key });
      const { version } = await writer.read();
      await writer.write(added.book, version);
      await until(() => reader.find(added.id) !== undefined);
      await reader.close();
      await until(async () => !(await Promise.all(nodes.map(isSubscribed))).includes(true));
      // The client of the app works on.
      expect(await store.remember(`${key} closed`, 1_000)).toBe(true);
    });

    it('loads the script again on nodes that lost it', async () => {
      const consume = (client: string): Promise<QuotaDecision> =>
        store.consume([
          { key: `lost:${client}`, scope: 'lost', partitionKey: client, policies: three, cost: 1 },
        ]);
      const clients = Array.from({ length: 30 }, (_, index) => `192.0.2.${index}`);
      await Promise.all(clients.map(consume));
      for (const node of nodes) await node.command('SCRIPT', 'FLUSH');
      const decisions = await Promise.all(clients.map(consume));
      expect(decisions.map(remaining)).toEqual(clients.map(() => [8, 8, 8]));
    });

    it('computes the same slots as the nodes', async () => {
      for (const tag of ['192.0.2.1', 'global', '~aZ09-_', '2001:db8::/64']) {
        expect(slotOf(`asec:{${tag}}all`)).toBe(
          Number(await nodes[0]!.command('CLUSTER', 'KEYSLOT', `asec:{${tag}}all`)),
        );
      }
    });
  });
});
