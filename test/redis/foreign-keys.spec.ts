/* A key of the store may hold a value of another program: a list, a text. Its client starts a new count, and no other client is
 * affected. */
import { joinKey } from '../../src/common/join-key.js';
import { createPolicy, type PolicyParts } from '../../src/limiter/create-policy.js';
import { policySetOf } from '../../src/redis/quota-call.js';
import { keyOf } from '../../src/redis/quota-keys.js';
import { RedisQuotaStore } from '../../src/redis/redis-store.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis.js';
import { CLIENTS, type ConnectedClient } from '../support/redis-clients.js';

const windowMs = 60_000;
const ALGORITHMS: readonly (readonly [title: string, parts: readonly PolicyParts[]])[] = [
  ['a sliding window', [{ limit: 5, windowMs }]],
  [
    'two sliding windows',
    [
      { limit: 5, windowMs },
      { limit: 9, windowMs: 2 * windowMs },
    ],
  ],
  ['a fixed window', [{ limit: 5, windowMs, algorithm: 'fixed-window' }]],
  ['a token bucket', [{ limit: 5, windowMs, algorithm: 'token-bucket' }]],
  ['a blocking window', [{ limit: 5, windowMs, blockMs: windowMs }]],
  ['a concurrency limit', [{ limit: 5, windowMs, algorithm: 'concurrency' }]],
];

const TYPES: readonly (readonly [title: string, command: (key: string) => readonly string[]])[] = [
  ['a list', key => ['RPUSH', key, 'x']],
  ['a set', key => ['SADD', key, 'x']],
  ['a hash', key => ['HSET', key, 'x', 'y']],
  ['a sorted set', key => ['ZADD', key, '1', 'x']],
  ['a stream', key => ['XADD', key, '*', 'x', 'y']],
];

describeWithRedis.each(CLIENTS)('a foreign key through %s', (_title, connect) => {
  let redis: RedisServer;
  let connected: ConnectedClient;
  beforeAll(async () => {
    redis = await startRedis();
    connected = await connect([redis.port]);
  });
  beforeEach(() => redis.command('FLUSHALL'));

  describe.each(ALGORITHMS)('of %s', (_rule, parts) => {
    const policies = parts.map(createPolicy);
    const charge = (partitionKey: string) => ({
      key: joinKey('all', partitionKey),
      scope: 'all',
      partitionKey,
      isAddress: true,
      policies,
      cost: 1,
    });
    const create = (): RedisQuotaStore => new RedisQuotaStore({ client: connected.client });

    it.each(TYPES)('that is %s fails no decision', async (_type, command) => {
      const store = create();
      const clients = ['192.0.2.1', '192.0.2.2'];
      await redis.command(...command(keyOf('asec:', charge(clients[0]!))));
      // Alone, and with another in one call.
      expect((await store.consume([charge(clients[0]!)])).granted).toBe(true);
      const decisions = await Promise.all(clients.map(partitionKey => store.consume([charge(partitionKey)])));
      expect(decisions.map(({ granted }) => granted)).toEqual([true, true]);
      expect(decisions[0]!.policyStates[0]!.remaining).toBe(3);
      expect(Number(await redis.command('PTTL', keyOf('asec:', charge(clients[0]!))))).toBeGreaterThan(0);
    });

    it('that is an arbitrary text fails no decision', async () => {
      const store = create();
      const ids = policySetOf(policies).ids;
      let seed = 36;
      const random = (below: number): number => {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        return Math.floor((seed / 2_147_483_648) * below);
      };
      const letters = (count: number): string =>
        Array.from({ length: count }, () => 'aZ0~'.charAt(random(4))).join('');
      for (let turn = 0; turn < 120; turn++) {
        const partitionKey = `10.0.0.${turn}`;
        // Every other text begins like a record of the policy.
        const text = turn % 2 === 0 ? letters(turn / 2) : `${letters(5)}${ids[0]!}${letters(random(60))}`;
        await redis.command('SET', keyOf('asec:', charge(partitionKey)), text);
        expect((await store.consume([charge(partitionKey)])).policyStates).toHaveLength(policies.length);
        expect((await store.settle([charge(partitionKey)], 1, 0)).policyStates).toHaveLength(policies.length);
      }
    }, 60_000);
  });
});
