import { policySetOf } from '../../src/redis/quota-call.js';
import { EVERY_POLICY } from '../../src/limiter/consume.js';
import { createPolicy } from '../../src/limiter/create-policy.js';
import { retryAfterSeconds } from '../../src/limiter/quota-headers.js';
import { Logger } from '@nestjs/common';
import type { QuotaDecision } from '../../src/limiter/consume.js';
import type { QuotaStore, StoredCharge } from '../../src/limiter/store/quota-store.js';
import { QuotaEvents } from '../../src/limiter/quota-events.js';
import { QuotaEngine } from '../../src/limiter/quota-engine.js';
import type { Clock } from '../../src/common/clock.js';
import { checkCost } from '../../src/limiter/quota-request.js';
import { RateLimiter } from '../../src/rate-limit/rate-limiter.js';
import { SecurityEvents } from '../../src/events/security-events.js';
import { withoutLimits, type ResolvedRateLimit } from '../../src/rate-limit/rate-limit.options.js';
import { AgentSecurityConfigError } from '../../src/common/config-error.js';
import { joinKey } from '../../src/common/join-key.js';

function setUp(maxClients = 1_000) {
  const time = { nowMs: 0 };
  const clock = { monotonicMs: () => time.nowMs, epochMs: () => 0 };
  const events = new SecurityEvents();
  return { ...createLimiter({ ...withoutLimits(), maxClients }, clock, events), time, events };
}

function createLimiter(settings: ResolvedRateLimit, clock: Clock, events: SecurityEvents) {
  const engine = new QuotaEngine(settings, clock, new Logger(), events);
  return { engine, limiter: new RateLimiter(engine, clock) };
}

describe('RateLimiter', () => {
  it('takes from the quota of a key until it is used up', async () => {
    const { limiter } = setUp();
    const results = [];
    for (let turn = 0; turn < 3; turn++) results.push(await limiter.consume('2/minute', 'alice'));
    expect(results).toEqual([
      {
        granted: true,
        limits: [{ name: '2-per-minute', limit: 2, windowMs: 60_000, remaining: 1, resetMs: 60_000 }],
        retryAfterSeconds: undefined,
        reservation: { units: 1 },
      },
      expect.objectContaining({ granted: true }),
      {
        granted: false,
        limits: [{ name: '2-per-minute', limit: 2, windowMs: 60_000, remaining: 0, resetMs: 60_000 }],
        retryAfterSeconds: 60,
        reservation: undefined,
      },
    ]);
    expect((await limiter.consume('2/minute', 'bob')).granted).toBe(true);
  });

  it('grants again when it said it would', async () => {
    const { limiter, time } = setUp();
    await limiter.consume('1/10 seconds', 'alice');
    time.nowMs = 2_500;
    const { retryAfterSeconds } = await limiter.consume('1/10 seconds', 'alice');
    time.nowMs += retryAfterSeconds! * 1_000;
    expect([retryAfterSeconds, (await limiter.consume('1/10 seconds', 'alice')).granted]).toEqual([8, true]);
  });

  it('decides several limits together', async () => {
    const { limiter } = setUp();
    await limiter.consume('1/second, 5/minute', 'alice');
    await limiter.consume('1/second, 5/minute', 'alice');
    const { limits } = await limiter.peek('1/second, 5/minute', 'alice');
    expect(limits.map(({ remaining }) => remaining)).toEqual([0, 4]);
  });

  it('peeks without taking', async () => {
    const { limiter } = setUp();
    for (let turn = 0; turn < 5; turn++) await limiter.peek('1/minute', 'alice');
    expect((await limiter.consume('1/minute', 'alice')).granted).toBe(true);
    expect(await limiter.peek('1/minute', 'alice')).toMatchObject({ limits: [{ remaining: 0 }] });
  });

  it('gives a whole quota back, to that key alone', async () => {
    const { limiter } = setUp();
    for (const key of ['alice', 'bob']) await limiter.consume('1/minute', key);
    await limiter.reset('1/minute', 'alice');
    await limiter.reset('1/minute', 'unknown');
    expect((await limiter.consume('1/minute', 'alice')).granted).toBe(true);
    expect((await limiter.consume('1/minute', 'bob')).granted).toBe(false);
  });

  it('takes a cost, all of it or nothing', async () => {
    const { limiter } = setUp();
    expect((await limiter.consume('10/minute', 'alice', 7)).limits[0]!.remaining).toBe(3);
    expect((await limiter.consume('10/minute', 'alice', 4)).granted).toBe(false);
    expect((await limiter.consume('10/minute', 'alice', 3)).granted).toBe(true);
    expect((await limiter.consume('10/minute', 'alice', 0)).granted).toBe(true);
  });

  it('counts policies apart that differ in any option', async () => {
    const { limiter } = setUp();
    const policies = [
      '1/minute',
      { limit: '1/minute', name: 'login' },
      { limit: '1/minute', algorithm: 'token-bucket' },
    ] as const;
    for (const policy of policies) expect((await limiter.consume(policy, 'alice')).granted).toBe(true);
    expect((await limiter.consume({ limit: '1/minute', name: 'login' }, 'alice')).granted).toBe(false);
  });

  it.each([NaN, -1, 1.5, Infinity, '2', null, 2 ** 53])('rejects a cost of %p', async cost => {
    const { limiter } = setUp();
    await expect(limiter.consume('1/minute', 'alice', cost as number)).rejects.toThrow(RangeError);
    expect(() => checkCost(cost)).toThrow(/whole number from 0/);
  });

  it('rejects an invalid policy', async () => {
    const { limiter } = setUp();
    await expect(limiter.consume('1/fortnight', 'alice')).rejects.toThrow(AgentSecurityConfigError);
    await expect(limiter.peek({} as never, 'alice')).rejects.toThrow(AgentSecurityConfigError);
  });

  it('bounds the number of policies', async () => {
    const { limiter } = setUp(10);
    for (let limit = 1; limit <= 1_000; limit++) await limiter.consume(`${limit}/minute`, 'alice');
    await expect(limiter.consume('1001/minute', 'alice')).rejects.toThrow(/what varies belongs in the key/);
    expect((await limiter.consume('1000/minute', 'alice')).granted).toBe(true);
  });
});

describe('RateLimiter.settle() and its events', () => {
  it('gives back and charges the difference, once', async () => {
    const { limiter } = setUp();
    const { reservation } = await limiter.consume('1000/day', 'alice', 400);
    const remaining = async (actual: number | undefined): Promise<number> =>
      (await limiter.settle(reservation!, actual)).limits[0]!.remaining;
    expect(await remaining(undefined)).toBe(600);
    expect(await remaining(Number.NaN)).toBe(600);
    expect(await remaining(99.5)).toBe(900);
    expect(await remaining(0)).toBe(900);
    expect((await limiter.peek('1000/day', 'alice')).limits[0]!.remaining).toBe(900);
  });

  it('gives nothing back of an old estimate, and still charges what was above it', async () => {
    const { limiter, time } = setUp();
    const [less, more] = [
      await limiter.consume('1000/day', 'alice', 100),
      await limiter.consume('1000/day', 'alice', 100),
    ];
    time.nowMs = 15 * 60_000 + 1;
    await limiter.settle(less.reservation!, 0);
    expect((await limiter.settle(more.reservation!, 150)).limits[0]!.remaining).toBe(750);
  });

  it('gives nothing back to a policy in shadow mode that took nothing', async () => {
    const { limiter } = setUp();
    const policy = { limit: 1, algorithm: 'concurrency', shadow: true } as const;
    await limiter.consume(policy, 'alice');
    const { reservation } = await limiter.consume(policy, 'alice');
    await limiter.settle(reservation!, 0);
    expect((await limiter.peek(policy, 'alice')).limits[0]!.remaining).toBe(0);
    const tokens = { limit: '100/hour', unit: 'tokens', shadow: true } as const;
    await limiter.consume(tokens, 'alice', 100);
    const estimate = await limiter.consume(tokens, 'alice', 60);
    await limiter.settle(estimate.reservation!, 50);
    expect((await limiter.peek(tokens, 'alice')).limits[0]!.remaining).toBe(0);
  });

  it.each(['sliding-window', 'fixed-window', 'token-bucket', 'concurrency'] as const)(
    'keeps a debt of any size: %s',
    async algorithm => {
      const { limiter } = setUp();
      const policy = algorithm === 'concurrency' ? { limit: 5, algorithm } : { limit: '5/minute', algorithm };
      const { reservation } = await limiter.consume(policy, 'alice', 5);
      await limiter.settle(reservation!, 2 ** 32 + 5);
      expect((await limiter.consume(policy, 'alice')).granted).toBe(false);
      const other = await limiter.consume(policy, 'bob', 5);
      await limiter.settle(other.reservation!, Number.MAX_SAFE_INTEGER);
      expect((await limiter.consume(policy, 'bob')).granted).toBe(false);
    },
  );

  it('releases leases of the row that new clients share while the table is full', async () => {
    const { limiter } = setUp(1);
    const policy = { limit: 1, algorithm: 'concurrency' } as const;
    await limiter.consume(policy, 'alice');
    for (const newcomer of ['bob', 'carol', 'dave']) {
      const { granted, reservation } = await limiter.consume(policy, newcomer);
      expect([newcomer, granted]).toEqual([newcomer, true]);
      await limiter.settle(reservation!, 0);
    }
  });

  it('takes numbers for keys, and nothing else that is no text', async () => {
    const { limiter } = setUp();
    await limiter.consume('1/minute', 42 as unknown as string);
    expect((await limiter.consume('1/minute', '42')).granted).toBe(false);
    for (const key of [['a', 'b'], {}, true, NaN, Symbol('a')]) {
      await expect(limiter.consume('1/minute', key as unknown as string)).rejects.toThrow(TypeError);
    }
  });

  it('rejects what is no reservation, and a cost below 0', async () => {
    const { limiter } = setUp();
    await expect(limiter.settle({ units: 1 }, 0)).rejects.toThrow(TypeError);
    const { reservation } = await limiter.consume('5/minute', 'alice');
    await expect(limiter.settle(reservation!, -1)).rejects.toThrow(RangeError);
  });

  it('emits a threshold that a settlement reached', async () => {
    const { limiter, heard } = hear();
    const policy = { limit: '1000/hour', alertAt: [0.9] } as const;
    const { reservation } = await limiter.consume(policy, 'queue', 10);
    await limiter.settle(reservation!, 950);
    await limiter.consume(policy, 'queue');
    expect(heard).toEqual([['queue', 0.9, 950]]);
  });

  it('counts a threshold of a token bucket by what the bucket holds', async () => {
    const { limiter, heard } = hear();
    const bucket = { algorithm: 'token-bucket', alertAt: [0.5, 8] } as const;
    await limiter.consume({ limit: '100/minute', burst: 10, ...bucket }, 'small', 8);
    await limiter.consume({ limit: '10/minute', burst: 100, ...bucket, alertAt: [0.9] }, 'large', 92);
    expect(heard).toEqual([
      ['small', 0.5, 8],
      ['small', 0.8, 8],
      ['large', 0.9, 92],
    ]);
  });

  it('emits thresholds of each quota of one name', async () => {
    const { limiter, heard } = hear();
    await limiter.consume({ limit: '5/minute', alertAt: [1] }, 'queue', 5);
    await limiter.consume({ limit: '5/minute', alertAt: [1], algorithm: 'fixed-window' }, 'queue', 5);
    await limiter.consume({ limit: '5/minute', alertAt: [1], unit: 'tokens' }, 'queue', 5);
    expect(heard).toHaveLength(3);
  });

  it('emits thresholds of each bucket of one limit, and of each limit of one name', async () => {
    const { limiter, heard } = hear();
    const bucket = { limit: '5/minute', algorithm: 'token-bucket', alertAt: [0.5] } as const;
    for (const burst of [10, 20]) await limiter.consume({ ...bucket, burst }, 'queue', 10);
    for (const shadow of [true, false])
      await limiter.consume({ limit: '5/minute', alertAt: [1], shadow }, 'queue', 5);
    await limiter.consume({ limit: '5/minute, 5/hour', alertAt: [1] }, 'queue', 5);
    expect(heard).toHaveLength(6);
  });

  it('emits thresholds of each quota of a request, the first of which is global', () => {
    const { engine, heard } = hear();
    const [all, own] = [10, 2].map(limit =>
      engine.createTable([createPolicy({ limit, windowMs: 60_000, alertAt: [1] })]),
    );
    for (const partitionKey of ['a', 'b']) {
      const charges = [
        { table: all!, mask: EVERY_POLICY, key: { hi: 0, lo: 0 }, cost: 2 },
        { table: own!, mask: EVERY_POLICY, key: { hi: 0, lo: partitionKey.charCodeAt(0) }, cost: 2 },
      ];
      const stored = ['all', partitionKey].map(key => ({ key, policies: [], cost: 2 }));
      engine.charge([{ partitionKey, charges, stored }], {});
    }
    expect(heard).toEqual([
      ['a', 1, 2],
      ['b', 1, 2],
    ]);
  });

  it('emits a threshold once for a quota that is charged with and without the store', () => {
    const { engine, heard } = hear();
    const table = engine.createTable([createPolicy({ limit: 4, windowMs: 60_000, alertAt: [0.5] })]);
    const charges = [{ table, mask: EVERY_POLICY, key: { hi: 0, lo: 1 }, cost: 2 }];
    for (const stored of [[{ key: 'all:a', policies: table.policies, cost: 2 }], []])
      engine.charge([{ partitionKey: 'a', charges, stored }], {});
    expect(heard).toEqual([['a', 0.5, 2]]);
  });

  it('emits a threshold once for the row that new clients share', async () => {
    const { limiter, heard } = hear(1);
    const policy = { limit: '10/minute', alertAt: [0.5] } as const;
    await limiter.consume(policy, 'old', 10);
    await limiter.consume(policy, 'new', 5);
    for (const newcomer of ['newer', 'newest']) await limiter.consume(policy, newcomer);
    expect(heard).toEqual([
      ['old', 0.5, 10],
      ['new', 0.5, 5],
    ]);
  });

  it('skips a limit whose state the store leaves out', () => {
    const { engine, events, heard } = hear();
    const [free, paid] = [[1], undefined].map(alertAt =>
      createPolicy({ limit: 5, windowMs: 60_000, alertAt }),
    );
    const table = engine.createTable([free!, paid!]);
    const charges = [{ table, mask: EVERY_POLICY, key: { hi: 0, lo: 1 }, cost: 0 }];
    const policyStates = [{ policy: paid!, remaining: 0, resetMs: 9, violated: false }];
    const time = { monotonicMs: () => 0, epochMs: () => 0 };
    const quotaEvents = new QuotaEvents(time, new Logger(), events, (_key, _ttlMs, act) => act());
    quotaEvents.emit([{ partitionKey: 'a', charges, stored: [] }], { granted: true, policyStates }, {});
    expect(heard).toEqual([]);
  });

  it('emits a denial in shadow mode once in each fixed window', async () => {
    const { limiter, events, time } = setUp();
    const heard: number[] = [];
    events.on('limit.shadow', () => heard.push(time.nowMs));
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const policy = { limit: '2/second', algorithm: 'fixed-window', shadow: true } as const;
    for (const [nowMs, cost] of [
      [0, 2],
      [800, 1],
      [900, 1],
      [1_000, 2],
      [1_100, 1],
      [2_500, 3],
      [2_600, 3],
      [3_600, 3],
    ] as const) {
      time.nowMs = nowMs;
      await limiter.consume(policy, 'queue', cost);
    }
    // A cost above the whole limit opens no window: its event is as in a window of its own.
    expect(heard).toEqual([800, 1_100, 2_500, 3_600]);
  });

  it('emits a threshold once in each fixed window', async () => {
    const { limiter, heard, time } = hear();
    const policy = { limit: '2/second', algorithm: 'fixed-window', alertAt: [1] } as const;
    for (const nowMs of [0, 800, 1_000, 1_100, 1_200]) {
      time.nowMs = nowMs;
      await limiter.consume(policy, 'queue');
    }
    expect(heard).toEqual([
      ['queue', 1, 2],
      ['queue', 1, 2],
    ]);
  });

  function hear(maxClients?: number) {
    const { limiter, engine, events, time } = setUp(maxClients);
    const heard: unknown[] = [];
    events.on('limit.threshold', event => heard.push([event.key, event.share, event.used]));
    return { limiter, engine, events, heard, time };
  }

  it('emits a threshold that consume() has reached', async () => {
    const { limiter, heard } = hear();
    const policy = { limit: '10/minute', alertAt: [5, 0.8] } as const;
    await limiter.consume(policy, 'queue', 4);
    await limiter.consume(policy, 'queue', 4);
    expect(heard).toEqual([
      ['queue', 0.5, 8],
      ['queue', 0.8, 8],
    ]);
  });
});

describe('RateLimiter over a shared store', () => {
  const hand = (policy: string): string => joinKey(joinKey('hand', policy), 'a');
  function setUpStore(settings: Partial<ResolvedRateLimit> = {}) {
    const calls: unknown[][] = [];
    const state = { fails: false };
    const answer = async (charges: readonly StoredCharge[]): Promise<QuotaDecision> => {
      if (state.fails) throw new Error('gone');
      const policyStates = charges.flatMap(({ policies }) =>
        policies.map(policy => ({ policy, remaining: 3, resetMs: 9, violated: false })),
      );
      return { granted: true, policyStates };
    };
    const store: QuotaStore = {
      consume: charges => (calls.push(['consume', charges[0]!.key, charges[0]!.cost]), answer(charges)),
      settle: (charges, ...how) => (calls.push(['settle', charges[0]!.key, ...how]), answer(charges)),
      renew: (charges, ...how) => (calls.push(['renew', charges[0]!.key, ...how]), answer(charges)),
      reset: async charges => void calls.push(['reset', charges[0]!.key]),
    };
    const time = { nowMs: 0 };
    const clock = { monotonicMs: () => time.nowMs, epochMs: () => 0 };
    jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const all = { ...withoutLimits(), ...settings, store };
    return { ...createLimiter(all, clock, new SecurityEvents()), calls, time, state };
  }

  it('consumes, settles, peeks and resets in the store', async () => {
    const { limiter, calls, time } = setUpStore();
    const { reservation } = await limiter.consume('5/minute', 'a', 2);
    time.nowMs = 50;
    expect((await limiter.settle(reservation!, 5)).limits[0]!.remaining).toBe(3);
    await limiter.peek('5/minute', 'a');
    await limiter.reset('5/minute', 'a');
    expect(calls).toEqual([
      ['consume', hand('5-per-minute'), 2],
      ['settle', hand('5-per-minute'), 3, 50],
      ['consume', hand('5-per-minute'), 0],
      ['reset', hand('5-per-minute')],
    ]);
  });

  it.each([
    ['local', true, 1],
    ['allow', true, 0],
    ['deny', false, 0],
  ] as const)('onStoreError %s while the store fails', async (onStoreError, granted, limits) => {
    const { limiter, state } = setUpStore({ onStoreError });
    state.fails = true;
    const result = await limiter.consume('5/minute', 'a');
    expect([result.granted, result.limits.length]).toEqual([granted, limits]);
    expect(result.retryAfterSeconds).toBe(granted ? undefined : 1);
    const look = await limiter.peek('5/minute', 'a');
    expect([look.granted, look.limits.length]).toEqual([granted, limits]);
  });

  it('counts limits of other numbers or units apart, as this process does', async () => {
    const { limiter, calls } = setUpStore();
    await limiter.consume('5/minute', 'a');
    await limiter.consume('100/minute', 'a');
    await limiter.consume({ limit: '5/minute', name: 'login' }, 'a');
    expect(calls.map(([, key]) => key)).toEqual([
      hand('5-per-minute'),
      hand('100-per-minute'),
      hand('login'),
    ]);
    const ids = [{ unit: 'tokens' }, { unit: 'requests' }].map(
      more => policySetOf([createPolicy({ name: 'a', limit: 5, windowMs: 60_000, ...more })]).ids[0],
    );
    expect(ids[0]).not.toBe(ids[1]);
  });

  it('releases a lease whose renewal failed as of its last renewal', async () => {
    jest.useFakeTimers();
    try {
      const { engine, calls, time, state } = setUpStore();
      const policy = createPolicy({ limit: 1, windowMs: 12_000, algorithm: 'concurrency' });
      const table = engine.createTable([policy]);
      const charge = { table, mask: EVERY_POLICY, key: { hi: 1, lo: 1 }, cost: 1 };
      const requests = [
        {
          partitionKey: 'a',
          charges: [charge],
          stored: [{ key: 'r:a', scope: 'r', partitionKey: 'a', policies: [policy], cost: 1 }],
        },
      ];
      const decided = (await engine.decide(requests, {}))!;
      const lease = engine.lease(requests, decided)!;
      state.fails = true;
      time.nowMs = 4_000;
      await jest.advanceTimersByTimeAsync(4_000);
      state.fails = false;
      time.nowMs = 5_000;
      lease.release();
      await jest.advanceTimersByTimeAsync(0);
      expect(calls.at(-1)).toEqual(['settle', 'r:a', -1, 5_000]);
      const again = engine.lease(requests, { ...decided, chargedMs: 5_000 })!;
      time.nowMs = 9_000;
      await jest.advanceTimersByTimeAsync(4_000);
      time.nowMs = 10_000;
      again.release();
      await jest.advanceTimersByTimeAsync(0);
      expect(calls.at(-1)).toEqual(['settle', 'r:a', -1, 1_000]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('waits for the limits that deny, not for one in shadow mode', async () => {
    const events = new SecurityEvents();
    const clock = { monotonicMs: () => 0, epochMs: () => 0 };
    const { engine } = createLimiter(withoutLimits(), clock, events);
    const policies = [
      { limit: 1, windowMs: 3_600_000, shadow: true },
      { limit: 1, windowMs: 10_000 },
    ].map(createPolicy);
    const charges = [
      { table: engine.createTable(policies), mask: EVERY_POLICY, key: { hi: 1, lo: 1 }, cost: 1 },
    ];
    engine.consumeLocally(charges);
    const decision = engine.consumeLocally(charges);
    expect([decision.granted, retryAfterSeconds(decision.policyStates)]).toEqual([false, 10]);
  });
});
