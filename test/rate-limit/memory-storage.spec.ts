import { MemoryThrottlerStorage } from '../../src/rate-limit/memory-storage.js';

function setUp(maxClients = 1_000) {
  const time = { nowMs: 0 };
  const storage = new MemoryThrottlerStorage(maxClients, { monotonicMs: () => time.nowMs, epochMs: () => 0 });
  const hit = (key = 'alice', ttl = 10_000, limit = 2, blockMs = 0, name = 'default') =>
    storage.increment(key, ttl, limit, blockMs, name);
  return { time, hit };
}

describe('MemoryThrottlerStorage', () => {
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
