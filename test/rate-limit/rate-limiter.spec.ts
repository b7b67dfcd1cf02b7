import { RateLimiter, checkCost } from '../../src/rate-limit/rate-limiter.js';
import { AgentSecurityConfigError } from '../../src/common/config-error.js';

function setUp(maxClients = 1_000) {
  const time = { nowMs: 0 };
  const clock = { monotonicMs: () => time.nowMs, epochMs: () => 0 };
  return { limiter: new RateLimiter(maxClients, clock), time };
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
      },
      expect.objectContaining({ granted: true }),
      {
        granted: false,
        limits: [{ name: '2-per-minute', limit: 2, windowMs: 60_000, remaining: 0, resetMs: 60_000 }],
        retryAfterSeconds: 60,
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

  it('judges several limits together', async () => {
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
    await limiter.reset('1/minute', 'nobody');
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

  it('tells policies apart by all that they say', async () => {
    const { limiter } = setUp();
    const policies = [
      '1/minute',
      { limit: '1/minute', name: 'login' },
      { limit: '1/minute', algorithm: 'token-bucket' },
    ] as const;
    for (const policy of policies) expect((await limiter.consume(policy, 'alice')).granted).toBe(true);
    expect((await limiter.consume({ limit: '1/minute', name: 'login' }, 'alice')).granted).toBe(false);
  });

  it.each([NaN, -1, 1.5, Infinity, '2', null, 2 ** 53])('refuses a cost of %p', async cost => {
    const { limiter } = setUp();
    await expect(limiter.consume('1/minute', 'alice', cost as number)).rejects.toThrow(RangeError);
    expect(() => checkCost(cost)).toThrow(/whole number from 0/);
  });

  it('refuses a policy that is none', async () => {
    const { limiter } = setUp();
    await expect(limiter.consume('1/fortnight', 'alice')).rejects.toThrow(AgentSecurityConfigError);
    await expect(limiter.peek({} as never, 'alice')).rejects.toThrow(AgentSecurityConfigError);
  });

  it('refuses to make up policies without end', async () => {
    const { limiter } = setUp(10);
    for (let limit = 1; limit <= 1_000; limit++) await limiter.consume(`${limit}/minute`, 'alice');
    await expect(limiter.consume('1001/minute', 'alice')).rejects.toThrow(/what varies belongs in the key/);
    expect((await limiter.consume('1000/minute', 'alice')).granted).toBe(true);
  });
});
