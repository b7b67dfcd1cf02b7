import fc from 'fast-check';
import type { ExecutionContext } from '@nestjs/common';
import type { PlatformRequest } from '../../src/common/http-request.js';
import { DynamicLimit, LimitUnknownError } from '../../src/rate-limit/dynamic-limits.js';
import {
  type DynamicRule,
  type RateLimitPolicyOptions,
  resolveRules,
} from '../../src/rate-limit/limit-rule.js';
import { hashKey } from '../../src/common/hash-key.js';
import { adjust, type Charge, EVERY_POLICY, consume, peek } from '../../src/limiter/consume.js';
import { ManualClock } from '../support/clock.js';

const request = {} as PlatformRequest;
const context = {} as ExecutionContext;
const nothing = (): Promise<string> => new Promise(() => undefined);

describe('limits that are looked up', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['performance'] }));
  afterEach(() => jest.useRealTimers());

  function setUp(alertAt?: number[]) {
    const clock = new ManualClock();
    const asked: string[] = [];
    const errors: string[] = [];
    const how = { resolve: nothing };
    const limit = (partitionKey: string): Promise<string> => {
      asked.push(partitionKey);
      return how.resolve();
    };
    const [rule] = resolveRules('limits', [
      { limit, limitTtlMs: 10_000, ...(alertAt === undefined ? {} : { alertAt }) },
    ]) as unknown as [DynamicRule];
    const log = { error: (message: string): void => void errors.push(message) };
    const limits = new DynamicLimit(rule, 100, clock, log);
    const tableOf = async (partitionKey: string): Promise<string> => {
      const answer = limits
        .tableOf({ partitionKey, key: hashKey(partitionKey), request, context })
        .then(({ policies }) => policies.map(({ text }) => text).join());
      answer.catch(() => undefined);
      await jest.advanceTimersByTimeAsync(1_000);
      return answer;
    };
    return { tableOf, clock, asked, errors, how };
  }

  it('asks again after a lookup that hung, not at once, and logs it once', async () => {
    const { tableOf, clock, asked, errors, how } = setUp();
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    expect(asked).toEqual(['acme']);
    clock.advance(1_000);
    how.resolve = async () => '5/minute';
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
    expect([asked, errors.length]).toEqual([['acme', 'acme'], 1]);
  });

  it('keeps a known limit while lookups hang, and asks again', async () => {
    const { tableOf, clock, asked, how } = setUp();
    how.resolve = async () => '5/minute';
    await tableOf('acme');
    how.resolve = nothing;
    clock.advance(10_000);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
    how.resolve = async () => '7/minute';
    clock.advance(10_000);
    expect(await tableOf('acme')).toBe('7 requests per 1 minute');
    expect(asked).toHaveLength(3);
  });

  it('takes an answer that comes late', async () => {
    const { tableOf, how } = setUp();
    let answer: (limit: string) => void = () => undefined;
    how.resolve = () => new Promise(resolve => (answer = resolve));
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    answer('5/minute');
    await jest.advanceTimersByTimeAsync(0);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
  });

  it('lets no more than a thousand lookups hang', async () => {
    const { tableOf, asked } = setUp();
    const answers = Array.from({ length: 1_500 }, (_each, index) => tableOf(`owner${index}`).catch(String));
    for (const answer of await Promise.all(answers)) expect(answer).toContain('No limit is known');
    expect(asked).toHaveLength(1_000);
  });

  it('looks up again when those that hang will never answer', async () => {
    const { tableOf, clock, how } = setUp();
    await Promise.all(
      Array.from({ length: 1_000 }, (_each, index) => tableOf(`owner${index}`).catch(String)),
    );
    how.resolve = async () => '5/minute';
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    clock.advance(60_000);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
  });

  it('takes no answer that comes after the one to a later question', async () => {
    const { tableOf, clock, how } = setUp();
    let answer: (limit: string) => void = () => undefined;
    how.resolve = () => new Promise(resolve => (answer = resolve));
    await tableOf('acme').catch(() => undefined);
    clock.advance(1_000);
    how.resolve = async () => '5/minute';
    await tableOf('acme');
    answer('9/minute');
    await jest.advanceTimersByTimeAsync(0);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
  });

  it('leaves out alerts above the limit of an owner, and refuses at the start what is no mark', async () => {
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
    what: fc.constantFrom('take', ...kinds),
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
    /** Of the limit as it is looked up now. */
    const chargeOf = async (limitNow: string, cost: number, partitionKey = 'acme'): Promise<Charge> => {
      if (limitNow !== state.limit) clock.advance(TTL_MS);
      state.limit = limitNow;
      const key = hashKey(partitionKey);
      const table = await limits.tableOf({ partitionKey, key, request, context });
      return { table, mask: EVERY_POLICY, key, cost };
    };
    /** What has been charged, and when; settled by what `settle` is told. */
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

  it('slots that were taken under one limit are released under the next', async () => {
    const { take, left } = setUp({ algorithm: 'concurrency' });
    const held = [await take('2'), await take('2'), await take('3')];
    expect(await left('3')).toEqual([0]);
    for (const { settle } of held) settle(-1);
    expect(await left('3')).toEqual([3]);
  });

  it('they are renewed and released over any number of changes, and back', async () => {
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

  it('a slot that nobody releases comes free as if the limit had not changed', async () => {
    const { take, left, clock } = setUp({ algorithm: 'concurrency' });
    await take('2/12 seconds');
    for (let second = 1; second <= 12; second++)
      expect(await left(`${2 + (second % 2)}/12 seconds`)).toEqual([1 + (second % 2)]);
    clock.advance(1_000);
    expect(await left('2/12 seconds')).toEqual([2]);
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

  it('what was used over time leaves over time', async () => {
    const { take, left, clock } = setUp();
    await take('28/10 seconds', 4);
    clock.advance(3_000);
    await take('28/10 seconds', 6);
    expect(await left('14/10 seconds')).toEqual([4]);
    clock.advance(5_999);
    expect(await left('14/10 seconds')).toEqual([4]);
    clock.advance(1);
    expect(await left('14/10 seconds')).toEqual([8]);
    clock.advance(3_000);
    expect(await left('14/10 seconds')).toEqual([14]);
  });

  it.each([
    ['sliding-window', 0],
    ['fixed-window', 0],
    // Less what the bucket may have gained meanwhile.
    ['token-bucket', 1],
  ] as const)('%s: an estimate is settled under the next limit', async (algorithm, less) => {
    const { take, left } = setUp({ algorithm });
    const { settle } = await take('1000/day', 300);
    expect(await left('2000/day')).toEqual([1_700]);
    expect(settle(-200).policyStates).toMatchObject([{ policy: { limit: 1_000 }, remaining: 900 - less }]);
    expect(await left('2000/day')).toEqual([1_900 - less]);
    settle(500);
    expect(await left('2000/day')).toEqual([1_400 - less]);
  });

  it('token-bucket: gains on while its limit changes faster than it gains', async () => {
    const { take, left } = setUp({ algorithm: 'token-bucket' });
    await take('10/100 seconds', 2);
    for (let second = 1; second <= 20; second++) await left(`${10 + (second % 2)}/100 seconds`);
    expect(await left('11/100 seconds')).toEqual([11]);
  });

  it.each(['sliding-window', 'fixed-window'] as const)(
    '%s: gives back nothing of what has left the window',
    async algorithm => {
      const { take, left, clock } = setUp({ algorithm });
      const { settle } = await take('10/minute', 5);
      clock.advance(60_000);
      await take('10/minute', 5);
      expect(await left('20/minute')).toEqual([15]);
      settle(-5);
      expect(await left('20/minute')).toEqual([15]);
    },
  );

  it('token-bucket: gives back nothing of what the bucket had gained under a higher limit', async () => {
    const { take, left, clock } = setUp({ algorithm: 'token-bucket' });
    const { settle } = await take('100/hour', 50);
    clock.advance(1_800_000);
    await take('100/hour', 8);
    expect(await left('10/hour')).toEqual([2]);
    settle(-50);
    expect(await left('10/hour')).toEqual([2]);
  });

  it('settles a charge of a window that the next limit has not where it was made', async () => {
    const { take, left } = setUp();
    const { settle } = await take('10/minute', 5);
    expect(await left('100/hour')).toEqual([100]);
    settle(-3);
    expect([await left('100/hour'), await left('10/minute')]).toEqual([[100], [8]]);
  });

  it('settles two limits of one window once each', async () => {
    const { take, left } = setUp();
    const { settle } = await take('10/minute, 20/minute', 5);
    expect(await left('15/minute')).toEqual([10]);
    settle(-2);
    expect(await left('15/minute')).toEqual([12]);
  });

  it('gives back nothing of an owner that was forgotten in between', async () => {
    const { take, left, chargeOf } = setUp({ algorithm: 'concurrency' });
    const { settle } = await take('5', 5);
    for (let other = 0; other < 10_000; other++) await chargeOf('5', 0, `other${other}`);
    await take('9', 4);
    settle(-5);
    expect(await left('9')).toEqual([5]);
  });

  const rules = [
    // What stays after a refund may be told as younger than it is; a change tells its age.
    ['sliding-window', 0, ['take', 'more']],
    ['fixed-window', 0, ['take', 'more', 'less']],
    ['concurrency', 0, ['take', 'more', 'less']],
    // What a bucket has gained is rounded in other places.
    ['token-bucket', 1, ['take', 'more', 'less']],
  ] as const;
  it.each(rules)(
    '%s: counts as if nothing had changed when only its text has',
    async (algorithm, less, kinds) => {
      const texts = ['40/minute', '40/60 seconds'];
      await fc.assert(
        fc.asyncProperty(fc.array(stepOf(kinds), { maxLength: 60, size: 'max' }), async steps => {
          const changing = setUp({ algorithm });
          const same = setUp({ algorithm });
          const pairs: (readonly [Taken, Taken])[] = [];
          for (const [turn, { what, ms, units }] of steps.entries()) {
            // Looking the limit up again takes as long on both sides.
            changing.clock.advance(ms);
            same.clock.advance(ms + (turn === 0 ? 0 : 1_000));
            const text = texts[turn % 2]!;
            if (what === 'take') {
              pairs.push([await changing.take(text, units), await same.take(texts[0]!, units)]);
            } else {
              const [one, other] = pairs.splice(units % Math.max(1, pairs.length), 1)[0] ?? [];
              const difference = what === 'more' ? units : -units;
              await changing.left(text);
              if (one?.granted && other?.granted) {
                one.settle(Math.max(difference, -one.charge.cost));
                other.settle(Math.max(difference, -other.charge.cost));
              }
            }
            const [left] = await changing.left(text);
            const [expected] = await same.left(texts[0]!);
            expect(Math.abs(expected! - left!)).toBeLessThanOrEqual(less);
          }
        }),
      );
    },
  );
});
