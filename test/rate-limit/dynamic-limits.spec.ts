import fc from 'fast-check';
import type { ExecutionContext } from '@nestjs/common';
import type { PlatformRequest } from '../../src/common/http-request.js';
import { DynamicLimit, LimitUnknownError } from '../../src/rate-limit/dynamic-limits.js';
import { type DynamicRule, resolveRules } from '../../src/rate-limit/limit-rule.js';
import type { RateLimitPolicyOptions } from '../../src/rate-limit/policy-options.js';
import { hashKey } from '../../src/common/hash-key.js';
import { adjust, type Charge, EVERY_POLICY, consume, peek } from '../../src/limiter/consume.js';
import { ManualClock } from '../support/clock.js';

const request = {} as PlatformRequest;
const context = {} as ExecutionContext;
const nothing = (): Promise<string> => new Promise(() => undefined);

describe('the lookup of dynamic limits', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['performance'] }));
  afterEach(() => jest.useRealTimers());

  function setUp(alertAt?: number[]) {
    const clock = new ManualClock();
    const lookups: string[] = [];
    const errors: string[] = [];
    const how = { resolve: nothing };
    const limit = (partitionKey: string): Promise<string> => {
      lookups.push(partitionKey);
      return how.resolve();
    };
    const [rule] = resolveRules('limits', [
      { limit, limitTtlMs: 10_000, ...(alertAt === undefined ? {} : { alertAt }) },
    ]) as unknown as [DynamicRule];
    const log = { error: (message: string): void => void errors.push(message) };
    const limits = new DynamicLimit(rule, 100, clock, log);
    const tableOf = async (partitionKey: string): Promise<string> => {
      const answer = limits
        .resolve({ partitionKey, key: hashKey(partitionKey), request, context })
        .then(({ table }) => table.policies.map(({ text }) => text).join());
      answer.catch(() => undefined);
      await jest.advanceTimersByTimeAsync(1_000);
      return answer;
    };
    return { tableOf, clock, lookups, errors, how };
  }

  it('calls the lookup once while it hangs, again after ten seconds, and logs it once', async () => {
    const { tableOf, lookups, errors, how } = setUp();
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    expect(lookups).toEqual(['acme']);
    await jest.advanceTimersByTimeAsync(8_000);
    how.resolve = async () => '5/minute';
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
    expect([lookups, errors.length]).toEqual([['acme', 'acme'], 1]);
  });

  it('keeps a known limit while lookups hang, and looks it up again', async () => {
    const { tableOf, clock, lookups, how } = setUp();
    how.resolve = async () => '5/minute';
    await tableOf('acme');
    how.resolve = nothing;
    clock.advance(10_000);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
    await jest.advanceTimersByTimeAsync(10_000);
    how.resolve = async () => '7/minute';
    clock.advance(10_000);
    expect(await tableOf('acme')).toBe('7 requests per 1 minute');
    expect(lookups).toHaveLength(3);
  });

  it('uses a result that comes late', async () => {
    const { tableOf, how } = setUp();
    let answer: (limit: string) => void = () => undefined;
    how.resolve = () => new Promise(resolve => (answer = resolve));
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    answer('5/minute');
    await jest.advanceTimersByTimeAsync(0);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
  });

  it('runs at most a thousand lookups at once, and others when those that hang are given up', async () => {
    const { tableOf, lookups, how } = setUp();
    const answers = Array.from({ length: 1_500 }, (_each, index) => tableOf(`client${index}`).catch(String));
    for (const answer of await Promise.all(answers)) expect(answer).toContain('No limit is known');
    expect(lookups).toHaveLength(1_000);
    how.resolve = async () => '5/minute';
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
  });

  it('ignores a result that comes after its lookup was given up', async () => {
    const { tableOf, how } = setUp();
    let answer: (limit: string) => void = () => undefined;
    how.resolve = () => new Promise(resolve => (answer = resolve));
    await tableOf('acme').catch(() => undefined);
    await jest.advanceTimersByTimeAsync(10_000);
    how.resolve = async () => '5/minute';
    await tableOf('acme');
    answer('9/minute');
    await jest.advanceTimersByTimeAsync(0);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
  });

  it('leaves out alerts above the limit of a client, and rejects an invalid alert at start-up', async () => {
    const { tableOf, how } = setUp([0.5, 100]);
    how.resolve = async () => '50/hour';
    expect(await tableOf('acme')).toBe('50 requests per 1 hour');
    expect(() => setUp([-1])).toThrow('alertAt[0]');
  });
});

/** A charge, whether it was granted, and how to settle it. */
interface Taken {
  readonly granted: boolean;
  readonly charge: Charge;
  settle(units: number): unknown;
}

const stepOf = (kinds: readonly string[]) =>
  fc.record({
    what: fc.constantFrom(...kinds),
    ms: fc.oneof(fc.nat(3_000), fc.constantFrom(0, 1, 4_999, 5_000, 59_000, 60_000)),
    units: fc.integer({ min: 1, max: 12 }),
  });

describe('counts under a limit that changes', () => {
  const TTL_MS = 1_000;

  function setUp(options: Partial<RateLimitPolicyOptions> = {}) {
    const clock = new ManualClock();
    const state = { limit: '' };
    const limit = (): string => state.limit;
    const [rule] = resolveRules('limits', [{ ...options, limit, limitTtlMs: TTL_MS }]) as unknown as [
      DynamicRule,
    ];
    const limits = new DynamicLimit(rule, 100, clock, { error: () => undefined });
    /** A charge under the limit that is in force now. */
    const chargeOf = async (limitNow: string, cost: number, partitionKey = 'acme'): Promise<Charge> => {
      if (limitNow !== state.limit) clock.advance(TTL_MS);
      state.limit = limitNow;
      const key = hashKey(partitionKey);
      return {
        ...(await limits.resolve({ partitionKey, key, request, context })),
        mask: EVERY_POLICY,
        key,
        cost,
      };
    };
    /** Charges the client; `settle` adjusts the charge later. */
    const take = async (limitNow: string, cost = 1) => {
      const charge = await chargeOf(limitNow, cost);
      const chargedMs = clock.monotonicMs();
      const { granted } = consume([charge], chargedMs);
      const settle = (units: number) => adjust([charge], { units, chargedMs }, clock.monotonicMs());
      return { granted, charge, settle };
    };
    const left = async (limitNow: string): Promise<number[]> =>
      peek(await chargeOf(limitNow, 0), clock.monotonicMs()).policyStates.map(({ remaining }) => remaining);
    return { take, left, clock, chargeOf };
  }

  it('leases that were taken under one limit are released under the next', async () => {
    const { take, left } = setUp({ algorithm: 'concurrency' });
    const held = [await take('2'), await take('2'), await take('3')];
    expect(await left('3')).toEqual([0]);
    for (const { settle } of held) settle(-1);
    expect(await left('3')).toEqual([3]);
  });

  it('leases are renewed and released over any number of changes, and back', async () => {
    const { take, left, clock } = setUp({ algorithm: 'concurrency' });
    const { charge } = await take('2');
    let beganMs = clock.monotonicMs();
    for (const limit of ['3', '4', '2', '3']) {
      expect(await left(limit)).toEqual([Number(limit) - 1]);
      clock.advance(50_000);
      const nowMs = clock.monotonicMs();
      adjust([charge], { units: -1, chargedMs: beganMs }, nowMs);
      adjust([charge], { units: 1, chargedMs: nowMs }, nowMs);
      beganMs = nowMs;
    }
    expect(await left('2')).toEqual([1]);
    adjust([charge], { units: -1, chargedMs: beganMs }, clock.monotonicMs());
    expect(await left('2')).toEqual([2]);
  });

  it('a lease that is never released ends one lease after the last change', async () => {
    const { take, left, clock } = setUp({ algorithm: 'concurrency' });
    await take('2/12 seconds');
    clock.advance(6_000);
    expect(await left('3/12 seconds')).toEqual([2]);
    clock.advance(11_000);
    expect(await left('3/12 seconds')).toEqual([2]);
    clock.advance(2_000);
    expect(await left('3/12 seconds')).toEqual([3]);
  });

  it('a lease that ended by itself gives nothing back after a change', async () => {
    const { take, left, clock } = setUp({ algorithm: 'concurrency' });
    const { settle } = await take('14/minute');
    clock.advance(65_000);
    await take('14/minute');
    expect(await left('14/60 seconds')).toEqual([13]);
    settle(-1);
    expect(await left('14/60 seconds')).toEqual([13]);
  });

  it.each(['sliding-window', 'fixed-window'] as const)(
    '%s: what was used leaves when it would have, however often the limit changes',
    async algorithm => {
      const { take, left } = setUp({ algorithm });
      await take('100/10 seconds', 40);
      for (let second = 1; second <= 9; second++)
        expect(await left(`${100 + (second % 2)}/10 seconds`)).toEqual([60 + (second % 2)]);
      expect(await left('100/10 seconds')).toEqual([100]);
    },
  );

  it('what was used over time leaves with its newest part', async () => {
    const { take, left, clock } = setUp();
    await take('28/10 seconds', 4);
    clock.advance(3_000);
    await take('28/10 seconds', 6);
    expect(await left('14/10 seconds')).toEqual([4]);
    clock.advance(8_999);
    expect(await left('14/10 seconds')).toEqual([4]);
    clock.advance(1);
    expect(await left('14/10 seconds')).toEqual([14]);
  });

  it.each(['sliding-window', 'fixed-window', 'token-bucket'] as const)(
    '%s: an estimate from before the change stays charged, and what was above it is charged now',
    async algorithm => {
      const { take, left } = setUp({ algorithm });
      const { settle } = await take('1000/day', 300);
      expect(await left('2000/day')).toEqual([1_700]);
      expect(settle(-200).policyStates).toMatchObject([{ policy: { limit: 2_000 }, remaining: 1_700 }]);
      expect(await left('2000/day')).toEqual([1_700]);
      settle(500);
      expect(await left('2000/day')).toEqual([1_200]);
    },
  );

  it('adjusts a charge of a window that the next limit does not have where it was made', async () => {
    const { take, left } = setUp();
    const { settle } = await take('10/minute', 5);
    expect(await left('100/hour')).toEqual([100]);
    settle(-3);
    expect([await left('100/hour'), await left('10/minute')]).toEqual([[100], [8]]);
  });

  it('charges a limit once that replaces two limits of one window', async () => {
    const { take, left } = setUp();
    const { settle } = await take('10/minute, 20/minute', 5);
    expect(await left('15/minute')).toEqual([10]);
    settle(2);
    expect(await left('15/minute')).toEqual([8]);
  });

  it('gives back nothing of a client that was forgotten in between', async () => {
    const { take, left, chargeOf } = setUp({ algorithm: 'concurrency' });
    const { settle } = await take('5', 5);
    for (let other = 0; other < 10_000; other++) await chargeOf('5', 0, `other${other}`);
    await take('9', 4);
    settle(-5);
    expect(await left('9')).toEqual([5]);
  });

  const algorithms = [
    ['sliding-window', ['take', 'more', 'less']],
    // A window that would be empty after a refund stays open, and closes earlier than the one that is opened next.
    ['fixed-window', ['take', 'more']],
    ['concurrency', ['take', 'more', 'less']],
    ['token-bucket', ['take', 'more', 'less']],
  ] as const;
  it.each(algorithms)('%s: never offers more than without a change', async (algorithm, kinds) => {
    const step = stepOf(kinds);
    const texts = ['14/minute', '14/60 seconds'];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async steps => {
        const changing = setUp({ algorithm });
        const same = setUp({ algorithm });
        const pairs: (readonly [Taken, Taken])[] = [];
        for (const [turn, { what, ms, units }] of steps.entries()) {
          // The lookup of a changed limit takes as long on both sides.
          changing.clock.advance(ms);
          same.clock.advance(ms + (turn === 0 ? 0 : 1_000));
          const text = texts[turn % 2]!;
          if (what === 'take') {
            const one = await changing.take(text, units);
            if (one.granted) pairs.push([one, await same.take(texts[0]!, units)]);
            if (pairs.at(-1)?.[1].granted === false) throw new Error('granted only after a change');
          } else {
            const [one, other] = pairs.splice(units % Math.max(1, pairs.length), 1)[0] ?? [];
            await changing.left(text);
            for (const taken of [one, other]) taken?.settle(what === 'more' ? units : -taken.charge.cost);
          }
          const [left] = await changing.left(text);
          const [most] = await same.left(texts[0]!);
          expect(left).toBeLessThanOrEqual(most!);
        }
      }),
    );
  });
});
