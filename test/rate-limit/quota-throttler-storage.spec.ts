import { joinKey } from '../../src/common/join-key.js';
import { Logger } from '@nestjs/common';
import type { QuotaStore } from '../../src/limiter/store/quota-store.js';
import { QuotaThrottlerStorage } from '../../src/rate-limit/quota-throttler-storage.js';

function setUp(maxClients = 1_000) {
  const time = { nowMs: 0 };
  const storage = new QuotaThrottlerStorage({
    maxClients,
    clock: { monotonicMs: () => time.nowMs, epochMs: () => 0 },
  });
  const hit = (key = 'alice', ttl = 10_000, limit = 2, blockMs = 0, name = 'default') =>
    storage.increment(key, ttl, limit, blockMs, name);
  return { time, hit };
}

describe('QuotaThrottlerStorage', () => {
  it('counts as @nestjs/throttler documents: hits, seconds, and whether one is blocked', async () => {
    const { hit, time } = setUp();
    expect(await hit()).toEqual({ totalHits: 1, timeToExpire: 10, isBlocked: false, timeToBlockExpire: 0 });
    time.nowMs = 500;
    expect(await hit()).toEqual({ totalHits: 2, timeToExpire: 10, isBlocked: false, timeToBlockExpire: 0 });
    time.nowMs = 1_000;
    expect(await hit()).toEqual({ totalHits: 3, timeToExpire: 9, isBlocked: true, timeToBlockExpire: 9 });
    time.nowMs = 10_000;
    expect(await hit()).toMatchObject({ totalHits: 2, isBlocked: false });
  });

  it('blocks for the block duration, and starts afresh after it', async () => {
    const { hit, time } = setUp();
    const blocked = { isBlocked: true, timeToBlockExpire: 5 };
    await hit('alice', 10_000, 2, 5_000);
    await hit('alice', 10_000, 2, 5_000);
    expect(await hit('alice', 10_000, 2, 5_000)).toMatchObject(blocked);
    time.nowMs = 4_999;
    expect(await hit('alice', 10_000, 2, 5_000)).toMatchObject({ isBlocked: true, timeToBlockExpire: 1 });
    time.nowMs = 5_000;
    expect(await hit('alice', 10_000, 2, 5_000)).toMatchObject({ totalHits: 1, isBlocked: false });
  });

  it('keeps keys, names and limits apart', async () => {
    const { hit } = setUp();
    const first = [
      await hit('alice'),
      await hit('bob'),
      await hit('alice', 10_000, 2, 0, 'other'),
      await hit('alice', 10_000, 3),
    ];
    expect(first.map(({ totalHits }) => totalHits)).toEqual([1, 1, 1, 1]);
  });

  it('cannot be confused by a colon in a name or in a key', async () => {
    const { hit } = setUp();
    await hit('b:c', 10_000, 5, 0, 'a');
    expect((await hit('c', 10_000, 5, 0, 'a:b')).totalHits).toBe(1);
  });

  it('costs no more for a high limit than for a low one', async () => {
    const { hit } = setUp();
    let last;
    for (let turn = 0; turn < 20_000; turn++) last = await hit('alice', 60_000, 1_000_000);
    expect(last).toMatchObject({ totalHits: 20_000, isBlocked: false });
  });

  it('keeps at most a thousand different limits', async () => {
    const { hit } = setUp(4);
    for (let limit = 1; limit <= 1_500; limit++) await hit('alice', 60_000, limit);
    expect((await hit('alice', 60_000, 1_500)).totalHits).toBe(2);
    expect((await hit('alice', 60_000, 2)).totalHits).toBe(1);
  });
});

describe('QuotaThrottlerStorage with numbers that are no limit', () => {
  // Each is consumed twice: it was the second hit of a client at which the search for its row never ended.
  it.each([0, -1, 0.5, -Infinity])('always blocks at a limit of %p', async limit => {
    const { hit, time } = setUp();
    const blocked = { totalHits: 1, timeToExpire: 10, isBlocked: true };
    expect(await hit('alice', 10_000, limit, 30_000)).toEqual({ ...blocked, timeToBlockExpire: 30 });
    time.nowMs = 60_000;
    expect(await hit('alice', 10_000, limit, 30_000)).toEqual({ ...blocked, timeToBlockExpire: 30 });
    expect(await hit('alice', 10_000, limit, 0)).toEqual({ ...blocked, timeToBlockExpire: 10 });
  });

  const rejected: [title: string, numbers: [ttl: number, limit: number, blockMs: number], message: string][] =
    [
      ['a limit of NaN', [10_000, Number.NaN, 0], 'limit must be a number, received NaN'],
      ['a limit that is a text', [10_000, '5' as never, 0], 'limit must be a number, received "5"'],
      ['a ttl of 0', [0, 5, 0], 'ttl must be a number from 1, received 0'],
      ['a negative ttl', [-1, 5, 0], 'ttl must be a number from 1, received -1'],
      ['a ttl of NaN', [Number.NaN, 5, 0], 'ttl must be a number from 1, received NaN'],
      ['a block of NaN', [10_000, 5, Number.NaN], 'blockDuration must be a number, received NaN'],
    ];
  it.each(rejected)('rejects %s', async (_title, numbers, message) => {
    const result = setUp().hit('alice', ...numbers);
    await expect(result).rejects.toThrow(RangeError);
    await expect(result).rejects.toThrow(message);
  });

  it.each([Infinity, 1e300, 2_000_000_000])('counts under a limit of %p', async limit => {
    const { hit } = setUp();
    await hit('alice', 10_000, limit);
    expect(await hit('alice', 10_000, limit)).toMatchObject({ totalHits: 2, isBlocked: false });
  });

  it.each([Infinity, 1e300])('takes a ttl and a block of %p for a very long one', async ms => {
    const { hit, time } = setUp();
    const tenYears = 315_360_000;
    expect(await hit('alice', ms, 1, 0)).toMatchObject({ isBlocked: false });
    await hit('alice', 10_000, 1, ms);
    expect(await hit('alice', 10_000, 1, ms)).toMatchObject({ isBlocked: true, timeToBlockExpire: tenYears });
    time.nowMs = 86_400_000 * 365;
    expect(await hit('alice', ms, 1, 0)).toMatchObject({ isBlocked: true });
    expect(await hit('alice', 10_000, 1, ms)).toMatchObject({ isBlocked: true });
  });

  it('gives no part of a unit', async () => {
    const { hit } = setUp();
    const hits = [await hit('alice', 10_000, 1.5), await hit('alice', 10_000, 1.5)];
    expect(hits.map(({ isBlocked }) => isBlocked)).toEqual([false, true]);
  });
});

describe('QuotaThrottlerStorage over a shared store', () => {
  const clock = { monotonicMs: () => 0, epochMs: () => 0 };

  it('uses the store, and its own counts while the store fails', async () => {
    const keys: string[] = [];
    const store: QuotaStore = {
      consume: async ([charge]) => {
        keys.push(charge!.key);
        if (keys.length > 1) throw new Error('gone');
        const [policy] = charge!.policies;
        return {
          granted: true,
          policyStates: [{ policy: policy!, remaining: 1, resetMs: 700, violated: false }],
        };
      },
    };
    const storage = new QuotaThrottlerStorage({ store, clock });
    jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const hits = [];
    for (let turn = 0; turn < 3; turn++) hits.push(await storage.increment('alice', 10_000, 2, 0, 'default'));
    expect(hits.map(({ totalHits, timeToExpire }) => [totalHits, timeToExpire])).toEqual([
      [1, 1],
      [1, 10],
      [2, 10],
    ]);
    expect(new Set(keys)).toEqual(new Set([joinKey('throttler', joinKey('default', 'alice'))]));
  });
});
