import type { QuotaDecision } from '../../src/limiter/consume.js';
import type { Policy } from '../../src/limiter/policy.js';
import { readClient } from '../../src/redis/read-client.js';
import { RedisQuotas, type RedisQuotasSettings } from '../../src/redis/redis-quotas.js';
import { RedisQuotaStore, type RedisQuotaStoreOptions } from '../../src/redis/redis-store.js';
import { loneScriptOf } from '../../src/redis/script/lone-script.js';
import { NEVER } from '../../src/redis/script/quota-script.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis.js';
import { CLIENTS, type ConnectedClient } from '../support/redis-clients.js';
import { createPolicy, type PolicyParts } from '../../src/limiter/create-policy.js';

const minute = 60_000;
const tenAMinute = createPolicy({ limit: 10, windowMs: minute });

const remaining = ({ policyStates }: QuotaDecision): number[] =>
  policyStates.map(policyState => policyState.remaining);

describeWithRedis.each(CLIENTS)('RedisQuotaStore through %s', (_title, connect) => {
  let redis: RedisServer;
  let connected: ConnectedClient;
  beforeAll(async () => {
    redis = await startRedis();
    connected = await connect([redis.port]);
  });
  beforeEach(() => redis.command('FLUSHALL'));

  const create = (settings: Partial<RedisQuotasSettings> = {}): RedisQuotas =>
    new RedisQuotas({ runner: readClient('client', connected.client), prefix: 'asec:', ...settings });
  const consume = (
    store: RedisQuotas,
    policies: readonly Policy[] = [tenAMinute],
    { client = '192.0.2.1', scope = 'all', cost = 1 } = {},
  ): Promise<QuotaDecision> =>
    store.consume([
      { key: `${scope}:${client}`, scope, partitionKey: client, isAddress: true, policies, cost },
    ]);
  /** Calls of scripts that the server has seen. */
  const calls = async (): Promise<number> => {
    const text = await redis.command('INFO', 'commandstats');
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(text)?.[1] ?? 0);
  };
  const keys = async (): Promise<string[]> => (await redis.command('--scan')).split('\n').filter(Boolean);

  it("counts by the server's clock and returns the state of the policy", async () => {
    const decision = await consume(create());
    expect(decision).toEqual({
      granted: true,
      policyStates: [{ policy: tenAMinute, remaining: 9, resetMs: expect.any(Number), violated: false }],
    });
    expect(decision.policyStates[0]!.resetMs).toBeGreaterThan(minute - 5);
    expect(decision.policyStates[0]!.resetMs).toBeLessThanOrEqual(minute);
  });

  it('shares counts with a store on another connection', async () => {
    const other = await connect([redis.port]);
    await consume(create(), undefined, { cost: 4 });
    expect(remaining(await consume(new RedisQuotaStore({ client: other.client })))).toEqual([5]);
  });

  it('keeps apps with another prefix apart', async () => {
    await consume(create({ prefix: 'a:' }));
    expect(remaining(await consume(create({ prefix: 'b:' })))).toEqual([9]);
  });

  it('takes all charges of a decision or none', async () => {
    const store = create();
    const tenant = createPolicy({ limit: 2, windowMs: minute, algorithm: 'fixed-window' });
    const both = (): Promise<QuotaDecision> =>
      store.consume([
        {
          key: 'agent:192.0.2.1',
          scope: 'agent',
          partitionKey: '192.0.2.1',
          isAddress: true,
          policies: [tenAMinute],
          cost: 1,
        },
        { key: 'tenant:acme', scope: 'tenant', partitionKey: 'acme', policies: [tenant], cost: 1 },
      ]);
    expect(remaining(await both())).toEqual([9, 1]);
    expect(remaining(await both())).toEqual([8, 0]);
    const rejected = await both();
    expect(rejected.granted).toBe(false);
    expect(rejected.policyStates.map(({ violated }) => violated)).toEqual([false, true]);
    expect(remaining(await consume(store, undefined, { scope: 'agent' }))).toEqual([7]);
  });

  it('keeps records of policies that a route leaves out', async () => {
    const store = create();
    const named = createPolicy({ name: 'burst', limit: 5, windowMs: 1_000_000, algorithm: 'fixed-window' });
    await consume(store, [tenAMinute, named]);
    await consume(store, [tenAMinute]);
    await consume(store, [named]);
    expect(remaining(await consume(store, [tenAMinute, named]))).toEqual([7, 2]);
    const ttl = Number(await redis.command('PTTL', 'asec:{192.0.2.1}all'));
    expect(ttl).toBeGreaterThan(900_000);
  });

  describe('round trips', () => {
    it('sends the decisions of one turn as two calls, so that Redis and this process work at once', async () => {
      const store = create({ maxBatch: 100 });
      await consume(store);
      const before = await calls();
      const decisions = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          consume(store, undefined, { client: `192.0.2.${index % 30}`, scope: 'turn' }),
        ),
      );
      expect((await calls()) - before).toBe(2);
      // In order: the fourth of a client stands behind its third.
      expect(decisions.filter((_, index) => index % 30 === 0).flatMap(remaining)).toEqual([9, 8, 7, 6]);
    });

    it('sends few decisions, and those behind a call, as one', async () => {
      const store = create();
      await consume(store);
      const before = await calls();
      const other = (index: number): Promise<QuotaDecision> =>
        consume(store, undefined, { client: `192.0.2.${index}` });
      await Promise.all(Array.from({ length: 31 }, (_, index) => other(index + 2)));
      expect((await calls()) - before).toBe(1);
      // The test continues where this answer was read, so that the answer of `first` is read after the next `setImmediate()`.
      await other(99);
      const first = other(100);
      await new Promise(resolve => queueMicrotask(() => resolve(undefined)));
      await Promise.all([first, ...Array.from({ length: 35 }, (_, index) => other(index + 101))]);
      expect((await calls()) - before).toBe(4);
    });

    it('sends a hundred policies in one call', async () => {
      const store = create();
      await consume(store);
      const before = await calls();
      const many = Array.from({ length: 100 }, (_, index) =>
        createPolicy({ limit: index + 1, windowMs: minute + index }),
      );
      expect(remaining(await consume(store, many, { scope: 'many' }))).toEqual(
        many.map(({ limit }) => limit - 1),
      );
      expect((await calls()) - before).toBe(1);
    });

    it('bounds a call', async () => {
      const store = create({ maxBatch: 16 });
      await consume(store);
      const before = await calls();
      await Promise.all(
        Array.from({ length: 40 }, (_, index) => consume(store, undefined, { client: `192.0.2.${index}` })),
      );
      expect((await calls()) - before).toBe(3);
    });

    it('makes no call for a client that was denied', async () => {
      const store = create();
      const burst = [createPolicy({ limit: 3, windowMs: minute, algorithm: 'fixed-window' })];
      for (let index = 0; index < 3; index++) await consume(store, burst);
      expect((await consume(store, burst)).granted).toBe(false);
      const before = await calls();
      const rejected = await Promise.all(Array.from({ length: 50 }, () => consume(store, burst)));
      expect(rejected.every(({ granted }) => !granted)).toBe(true);
      expect(rejected[49]!.policyStates[0]).toMatchObject({ remaining: 0, violated: true });
      expect(rejected[49]!.policyStates[0]!.resetMs).toBeGreaterThan(minute - 5_000);
      expect(await calls()).toBe(before);
      // Another cost, another client and another policy make a call.
      await consume(store, burst, { cost: 0 });
      await consume(store, burst, { client: '192.0.2.2' });
      await consume(store, [createPolicy({ limit: 3, windowMs: minute, algorithm: 'token-bucket' })]);
      expect((await calls()) - before).toBe(3);
    });

    it('makes the next call at the reset', async () => {
      let nowMs = 1_000_000;
      const store = create({ now: () => nowMs });
      const burst = [createPolicy({ limit: 1, windowMs: 1_000, algorithm: 'fixed-window' })];
      await consume(store, burst);
      expect((await consume(store, burst)).policyStates[0]!.resetMs).toBe(1_000);
      const before = await calls();
      nowMs += 900;
      expect((await consume(store, burst)).policyStates[0]!.resetMs).toBe(100);
      expect(await calls()).toBe(before);
      nowMs += 100;
      expect((await consume(store, burst)).granted).toBe(true);
    });
  });

  describe('what is not taken', () => {
    const each = [
      { limit: 10, windowMs: minute },
      { limit: 100, windowMs: minute },
      { limit: 10, windowMs: minute, algorithm: 'fixed-window' },
      { limit: 10, windowMs: minute, algorithm: 'token-bucket' },
      { limit: 10, windowMs: minute, algorithm: 'concurrency' },
      { limit: 10, windowMs: minute, blockMs: 1_000 },
    ] satisfies PolicyParts[];

    it.each(each)('a look changes and writes nothing: %j', async parts => {
      const store = create();
      const policies = [createPolicy(parts)];
      expect(remaining(await consume(store, policies, { cost: 0 }))).toEqual([parts.limit]);
      expect(await keys()).toEqual([]);
      await consume(store, policies, { cost: 3 });
      const before = await redis.command('INFO', 'commandstats');
      expect(remaining(await consume(store, policies, { cost: 0 }))).toEqual([parts.limit - 3]);
      const after = await redis.command('INFO', 'commandstats');
      const writes = (text: string): string[] => text.match(/cmdstat_(?:set|setrange|del):calls=\d+/g) ?? [];
      expect(writes(after)).toEqual(writes(before));
    });

    it.each(each)('a policy in shadow mode denies no request, and is not charged: %j', async parts => {
      const store = create();
      const policies = [
        createPolicy({ ...parts, limit: 2, shadow: true }),
        createPolicy({ limit: 5, windowMs: 2 * minute }),
      ];
      const decisions = [];
      for (let turn = 0; turn < 6; turn++) decisions.push(await consume(store, policies));
      expect(decisions.map(({ granted }) => granted)).toEqual([true, true, true, true, true, false]);
      expect(decisions.map(remaining).map(([, enforced]) => enforced)).toEqual([4, 3, 2, 1, 0, 0]);
      expect(decisions.map(({ policyStates }) => policyStates[0]!.violated)).toEqual([
        false,
        false,
        true,
        true,
        true,
        true,
      ]);
    });

    it('counts a policy in shadow mode apart from the one beside it, in any order', async () => {
      const store = create();
      const enforced = createPolicy({ limit: 10, windowMs: minute });
      const shadow = createPolicy({ limit: 5, windowMs: minute, shadow: true });
      await consume(store, [enforced, shadow], { cost: 2 });
      expect(remaining(await consume(store, [shadow, enforced]))).toEqual([2, 7]);
      expect(remaining(await consume(store, [shadow]))).toEqual([1]);
    });
  });

  describe('settling', () => {
    const charge = (policies: readonly Policy[], cost: number) => [
      { key: 'all:192.0.2.1', scope: 'all', partitionKey: '192.0.2.1', isAddress: true, policies, cost },
    ];
    const every: PolicyParts[] = [
      { limit: 10, windowMs: minute },
      { limit: 10, windowMs: minute, algorithm: 'fixed-window' },
      { limit: 10, windowMs: minute, algorithm: 'token-bucket' },
      { limit: 10, windowMs: minute, algorithm: 'concurrency' },
    ];

    it.each(every)('gives back and takes more, beyond the limit too: %j', async parts => {
      const store = create({ now: () => 1_000_000 });
      const policies = [createPolicy(parts)];
      await store.consume(charge(policies, 8));
      expect(remaining(await store.settle(charge(policies, 8), -5, 0))).toEqual([7]);
      expect(remaining(await store.settle(charge(policies, 8), 12, 0))).toEqual([0]);
      expect((await store.consume(charge(policies, 1))).granted).toBe(false);
      // 15 are taken.
      expect(remaining(await store.settle(charge(policies, 8), -6, 0))).toEqual([1]);
      expect(await store.settle(charge(policies, 8), 0, 0)).toMatchObject({ granted: true });
    });

    it.each(every)('gives back a charge whose answer arrived late: %j', async parts => {
      const store = create();
      const policies = [createPolicy(parts)];
      await store.consume(charge(policies, 4));
      expect(remaining(await store.settle(charge(policies, 4), -4, 30))).toEqual([10]);
    });

    it('gives nothing back to a window that has ended since', async () => {
      let nowMs = 1_000_000;
      const store = create({ now: () => nowMs });
      const policies = every.slice(0, 2).map(createPolicy);
      await store.consume(charge(policies, 4));
      nowMs += minute;
      await store.consume(charge(policies, 3));
      expect(remaining(await store.settle(charge(policies, 4), -4, minute))).toEqual([7, 7]);
    });

    it('ends a denial', async () => {
      const store = create();
      const policies = [createPolicy({ limit: 2, windowMs: minute })];
      await consume(store, policies, { cost: 2 });
      expect((await consume(store, policies)).granted).toBe(false);
      const before = await calls();
      expect((await consume(store, policies)).granted).toBe(false);
      expect(await calls()).toBe(before);
      await store.settle(charge(policies, 2), -1, 0);
      expect((await consume(store, policies)).granted).toBe(true);
    });

    it('does not keep a denial by a concurrency limit: others release leases', async () => {
      const store = create();
      const concurrent = [createPolicy({ limit: 1, windowMs: minute, algorithm: 'concurrency' })];
      await consume(store, concurrent);
      expect((await consume(store, concurrent)).granted).toBe(false);
      await create().settle(charge(concurrent, 1), -1, 0);
      expect((await consume(store, concurrent)).granted).toBe(true);
    });

    it('renews leases, even after their end', async () => {
      let nowMs = 1_200_000;
      const store = create({ now: () => nowMs, maxDenials: 0 });
      const concurrent = [createPolicy({ limit: 2, windowMs: 12_000, algorithm: 'concurrency' })];
      await store.consume(charge(concurrent, 1));
      for (let turn = 0; turn < 5; turn++) {
        nowMs += 4_000;
        expect(remaining(await store.renew(charge(concurrent, 1), 4_000))).toEqual([1]);
      }
      nowMs += 60_000;
      expect(remaining(await consume(store, concurrent, { cost: 0 }))).toEqual([2]);
      expect(remaining(await store.renew(charge(concurrent, 1), 60_000))).toEqual([1]);
      await store.settle(charge(concurrent, 1), -1, 0);
      expect(remaining(await consume(store, concurrent, { cost: 0 }))).toEqual([2]);
    });

    it('forgets the policies that are reset, and no others', async () => {
      const store = create();
      const policies = every.map(createPolicy);
      await store.consume(charge(policies, 3));
      await store.reset(charge(policies.slice(0, 3), 0));
      expect(remaining(await consume(store, policies, { cost: 0 }))).toEqual([10, 10, 10, 7]);
      await store.reset(charge(policies, 0));
      expect(await keys()).toEqual([]);
    });

    it('ends a denial by a reset', async () => {
      const store = create();
      const policies = [createPolicy({ limit: 1, windowMs: minute })];
      await consume(store, policies);
      expect((await consume(store, policies)).granted).toBe(false);
      await store.reset(charge(policies, 0));
      expect((await consume(store, policies)).granted).toBe(true);
    });

    const wrong: [title: string, units: number, ageMs: number][] = [
      ['a fraction', 0.5, 0],
      ['no number', Number.NaN, 0],
      ['an age below 0', -1, -1],
      ['an age that is no number', -1, Number.NaN],
      ['an endless age', -1, Infinity],
    ];
    it.each(wrong)('rejects %s', async (_name, units, ageMs) => {
      await expect(create().settle(charge([tenAMinute], 1), units, ageMs)).rejects.toThrow(RangeError);
    });
  });

  describe('more keys than Lua holds at once', () => {
    it('decides on all of them in one call', async () => {
      const store = create({ maxBatch: 5_000 });
      const several = [tenAMinute, createPolicy({ limit: 20, windowMs: minute, algorithm: 'fixed-window' })];
      const charges = Array.from({ length: 2_500 }, (_, index) => ({
        key: `all:10.0.${index >> 8}.${index & 255}`,
        scope: 'all',
        partitionKey: `10.0.${index >> 8}.${index & 255}`,
        isAddress: true,
        policies: several,
        cost: 1,
      }));
      expect(new Set(remaining(await store.consume(charges)))).toEqual(new Set([9, 19]));
      expect(new Set(remaining(await store.consume(charges)))).toEqual(new Set([8, 18]));
    });
  });

  describe('a changed limit', () => {
    const windows: [title: string, from: PolicyParts, to: PolicyParts, used: number, left: number][] = [
      ['raised', { limit: 10, windowMs: minute }, { limit: 100, windowMs: minute }, 10, 89],
      [
        'lowered above the count',
        { limit: 1_000, windowMs: minute },
        { limit: 100, windowMs: minute },
        60,
        39,
      ],
      [
        'raised for a fixed window',
        { limit: 10, windowMs: minute, algorithm: 'fixed-window' },
        { limit: 20, windowMs: minute, algorithm: 'fixed-window' },
        10,
        9,
      ],
      [
        'raised for a named policy',
        { name: 'n', limit: 10, windowMs: minute },
        { name: 'n', limit: 20, windowMs: minute },
        10,
        9,
      ],
    ];
    it.each(windows)('%s, applies to what is counted', async (_name, from, to, used, left) => {
      const store = create();
      expect((await consume(store, [createPolicy(from)], { cost: used })).granted).toBe(true);
      expect(remaining(await consume(store, [createPolicy(to)]))).toEqual([left]);
    });

    it('lowered below the count, denies until enough has left the window', async () => {
      let nowMs = 1_000_000;
      const store = create({ now: () => nowMs });
      const large = [createPolicy({ limit: 100, windowMs: minute })];
      const small = [createPolicy({ limit: 10, windowMs: minute })];
      for (let index = 0; index < 10; index++, nowMs += 1_000) await consume(store, large, { cost: 8 });
      const rejected = await consume(store, small);
      expect(rejected).toMatchObject({ granted: false, policyStates: [{ remaining: 0, violated: true }] });
      const { resetMs } = rejected.policyStates[0]!;
      nowMs += resetMs - 1;
      expect((await consume(store, small)).granted).toBe(false);
      nowMs += 1;
      expect((await consume(store, small)).granted).toBe(true);
    });

    it('never lets hits leave sooner, whatever the order of limits', async () => {
      let nowMs = 1_000_000;
      const store = create({ now: () => nowMs, maxDenials: 0 });
      const limits = [28, 42, 100, 15, 1].map(limit => createPolicy({ limit, windowMs: minute }));
      const log: number[] = [];
      for (let step = 0; step < 3_000; step++, nowMs += (step * 7919) % 4_001) {
        const policy = limits[(step * 31 + (step >> 3)) % limits.length]!;
        if (!(await consume(store, [policy])).granted) continue;
        log.push(nowMs);
        // One batch less one more than the largest that were used: the rule's own error.
        const inWindow = log.filter(atMs => atMs > nowMs - minute).length;
        expect(inWindow).toBeLessThanOrEqual(policy.limit + 7);
      }
      expect(log.length).toBeGreaterThan(300);
    });
  });

  describe('what it leaves in Redis', () => {
    const shapes: PolicyParts[] = [
      // Long enough that nothing expires before it is looked at.
      { limit: 10, windowMs: 30_000 },
      { limit: 100, windowMs: minute },
      { limit: 1_000_000, windowMs: minute },
      { limit: 10, windowMs: 90_000, algorithm: 'fixed-window' },
      { limit: 10, windowMs: minute, algorithm: 'token-bucket' },
      { limit: 2, windowMs: minute, blockMs: 200_000 },
    ];

    it('expires', async () => {
      const store = create({ maxDenials: 0 });
      for (const [index, shape] of shapes.entries()) {
        const policies = [createPolicy(shape)];
        for (let turn = 0; turn < 4; turn++)
          await consume(store, policies, { scope: `s${index}`, cost: turn });
      }
      const found = await keys();
      expect(found).toHaveLength(shapes.length);
      for (const key of found) {
        const ttl = Number(await redis.command('PTTL', key));
        expect(ttl).toBeGreaterThan(0);
        // An eighth longer than it must, in tenths of seconds.
        expect(ttl).toBeLessThanOrEqual(225_100);
      }
    });

    it('is gone a second behind a short window', async () => {
      const store = create();
      await consume(store, [createPolicy({ limit: 5, windowMs: 200 })]);
      const ttl = Number(await redis.command('PTTL', (await keys())[0]!));
      expect(ttl).toBeGreaterThan(0);
      expect(ttl).toBeLessThanOrEqual(1_300);
    });

    it('lives as long as its counts, and its expiry is seldom written', async () => {
      let nowMs = 1_000_000;
      const store = create({ now: () => nowMs, maxDenials: 0 });
      const policies = [
        { limit: 5, windowMs: 5_000 },
        { limit: 1_000, windowMs: minute },
      ].map(createPolicy);
      const key = 'asec:{192.0.2.1}all';
      let expiries = 0;
      let lastMs = 0;
      for (let turn = 0; turn < 60; turn++, nowMs += 1_500) {
        await consume(store, policies);
        // By the server's clock, and ten minutes longer for a test's.
        const expiresMs = Number(await redis.command('PEXPIRETIME', key));
        const lives = Number(
          await redis.command('EVAL', "return struct.unpack('>I5', redis.call('GET', KEYS[1]))", '1', key),
        );
        expect(lives * 100).toBeGreaterThanOrEqual(nowMs + minute);
        if (Math.abs(expiresMs - lastMs) > 2) expiries++;
        lastMs = expiresMs;
      }
      // An eighth of a minute is five turns.
      expect(expiries).toBeLessThanOrEqual(13);
      expect(expiries).toBeGreaterThan(8);
    }, 90_000);

    const sizes: [title: string, policies: PolicyParts[], most: number][] = [
      ['a full sliding window', [{ limit: 100, windowMs: minute }], 150],
      ['a full sliding window under a large limit', [{ limit: 1_000_000, windowMs: minute }], 150],
      [
        'two full sliding windows',
        [
          { limit: 100, windowMs: minute },
          { limit: 1_000, windowMs: 3_600_000 },
        ],
        240,
      ],
      ['a fixed window', [{ limit: 100, windowMs: minute, algorithm: 'fixed-window' }], 110],
      ['a token bucket', [{ limit: 100, windowMs: minute, algorithm: 'token-bucket' }], 110],
    ];
    it.each(sizes)('is small: %s', async (_name, parts, most) => {
      let nowMs = Date.now();
      const store = create({ now: () => nowMs });
      const policies = parts.map(createPolicy);
      const smallest = Math.min(...policies.map(({ limit }) => limit));
      for (let batch = 0; batch < 14; batch++, nowMs += 100) {
        await consume(store, policies, { cost: Math.floor(smallest / 14), client: '192.168.100.100' });
      }
      const bytes = Number(await redis.command('MEMORY', 'USAGE', (await keys())[0]!));
      expect(bytes).toBeGreaterThan(50);
      expect(bytes).toBeLessThanOrEqual(most);
    });
  });

  it.each([['FLUSHALL'], ['SCRIPT FLUSH']])('loads the script again after %s', async command => {
    const store = create();
    await consume(store);
    await redis.command(...command.split(' '));
    await redis.command('SCRIPT', 'FLUSH');
    expect((await consume(store)).granted).toBe(true);
    expect(await redis.command('SCRIPT', 'EXISTS', loneScriptOf(1).sha)).toContain('1');
  });

  it('counts a fast bucket exactly at the date of today', async () => {
    let nowMs = Date.now();
    const store = create({ now: () => nowMs, maxDenials: 0 });
    const bucket = [
      createPolicy({ limit: 90_000_000, windowMs: 1_000, algorithm: 'token-bucket', burst: 1_000 }),
    ];
    for (let left = 999; left >= 0; left--) expect(remaining(await consume(store, bucket))).toEqual([left]);
    expect((await consume(store, bucket)).granted).toBe(false);
    nowMs += 1;
    expect(remaining(await consume(store, bucket))).toEqual([999]);
  });

  it('outlives a clock that is set back', async () => {
    let nowMs = 10_000_000;
    const store = create({ now: () => nowMs, maxDenials: 0 });
    await consume(store, undefined, { cost: 10 });
    nowMs -= 5;
    expect((await consume(store)).granted).toBe(false);
    nowMs -= 10 * minute;
    expect((await consume(store)).granted).toBe(true);
  });

  it('says that a cost above the limit never passes', async () => {
    const { policyStates } = await consume(create(), undefined, { cost: 11 });
    expect(policyStates).toEqual([{ policy: tenAMinute, remaining: 10, resetMs: Infinity, violated: true }]);
    expect(Number.isSafeInteger(NEVER)).toBe(true);
  });
});

describe('options of RedisQuotaStore', () => {
  const client = { evalsha: async () => [], eval: async () => [] };
  const wrong: [title: string, options: object, message: RegExp][] = [
    ['no client', {}, /client must be a client of ioredis or of redis/],
    ['a client of something else', { client: { get: () => 1 } }, /client must be/],
    ['a prefix with braces', { client, prefix: '{a}' }, /prefix must be a text without braces/],
    ['a deadline of NaN', { client, deadlineMs: Number.NaN }, /deadlineMs must be a whole number/],
    ['a deadline of 0', { client, deadlineMs: 0 }, /deadlineMs must be/],
    ['a deadline beyond that of a request', { client, deadlineMs: 101 }, /deadlineMs must be/],
    ['a clock', { client, now: () => 0 }, /now/],
  ];
  it.each(wrong)('rejects %s', (_title, options, message) => {
    expect(() => new RedisQuotaStore(options as RedisQuotaStoreOptions)).toThrow(message);
  });

  const lies: [title: string, reply: unknown][] = [
    ['no list', 'OK'],
    ['too few numbers', [1]],
    ['too many numbers', [1, 2, 3]],
    ['words', ['a', 'b']],
  ];
  it.each(lies)('rejects a reply of %s', async (_title, reply) => {
    const lying = { evalsha: async () => reply, eval: async () => reply };
    const store = new RedisQuotaStore({ client: lying });
    await expect(store.consume([{ key: 'a', policies: [tenAMinute], cost: 1 }])).rejects.toThrow(
      /rate-limit script/,
    );
  });

  it('has a deadline of 100 ms, or its own', () => {
    expect(new RedisQuotaStore({ client }).deadlineMs).toBe(100);
    expect(new RedisQuotaStore({ client, deadlineMs: 20 }).deadlineMs).toBe(20);
  });

  it('makes no more calls while 1,000 are unanswered', async () => {
    let calls = 0;
    const silent = { evalsha: () => (calls++, new Promise(() => undefined)), eval: async () => [] };
    const store = new RedisQuotas({ runner: readClient('client', silent), prefix: '', maxBatch: 1 });
    const charge = { key: 'a', policies: [tenAMinute], cost: 1 };
    let rejected = 0;
    for (let time = 0; time < 1_200; time++) store.consume([charge]).catch(() => rejected++);
    await new Promise(resolve => setImmediate(resolve));
    expect(rejected).toBe(200);
    expect(calls).toBe(1_000);
  });
});
