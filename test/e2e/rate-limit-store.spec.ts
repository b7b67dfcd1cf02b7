/* Rate limits in an external store, and programmatic limiting. */
import { Controller, Get, Sse } from '@nestjs/common';
import { ThrottlerStorageService, type ThrottlerStorage } from '@nestjs/throttler';
import { of } from 'rxjs';
import { RateLimit, RateLimiter, type RateLimitOptions } from '../../src/index.js';
import { loadCases } from '../fixtures/load-cases.js';
import { EXPRESS, PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

@Controller()
class PlainController {
  @Get()
  get(): string {
    return 'ok';
  }

  @Get('other')
  other(): string {
    return 'ok';
  }

  @RateLimit('1/minute')
  @Get('own')
  own(): string {
    return 'ok';
  }

  @Sse('sse')
  sse() {
    return of({ data: 'x' });
  }
}

type Increment = Parameters<ThrottlerStorage['increment']>;

/** A storage that records its calls, and fails while `failing` is true. */
class RecordingStorage implements ThrottlerStorage {
  readonly increments: Increment[] = [];
  failing = false;
  readonly #inner = new ThrottlerStorageService();

  increment(...args: Increment): ReturnType<ThrottlerStorage['increment']> {
    this.increments.push(args);
    return this.failing ? Promise.reject(new Error('store is down')) : this.#inner.increment(...args);
  }
}

async function statuses(app: RunningApp, path: string, times: number): Promise<number[]> {
  const list: number[] = [];
  for (let turn = 0; turn < times; turn++) list.push((await app.send(path)).status);
  return list;
}

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  const startWith = (rateLimit: RateLimitOptions): Promise<RunningApp> =>
    start(platform, { controllers: [PlainController], options: { rateLimit } });

  it("a store of @nestjs/throttler's keeps one quota over all routes", async () => {
    const store = new RecordingStorage();
    const app = await startWith({ limits: '2/minute', store });
    const first = await app.send('/');
    expect([first.status, first.header('X-RateLimit-Remaining')]).toEqual([200, '1']);
    expect(await statuses(app, '/other', 2)).toEqual([200, 429]);
    const rejected = await app.send('/');
    expect([rejected.status, rejected.header('Retry-After')]).toEqual([429, '60']);
    expect(rejected.json()).toMatchObject({ code: 'rate_limited', 'violated-policies': ['2-per-minute'] });
    const [[key, ttl, limit]] = store.increments as [Increment];
    expect([ttl, limit]).toEqual([60_000, 2]);
    expect(new Set(store.increments.map(([name]) => name))).toEqual(new Set([key]));
  });

  it('keeps the quotas of routes apart in a store', async () => {
    const app = await startWith({ limits: '2/minute', store: new RecordingStorage() });
    expect(await statuses(app, '/own', 2)).toEqual([200, 429]);
    expect(await statuses(app, '/', 2)).toEqual([200, 200]);
  });

  it('limits by itself while its store fails, says so once, and says when it is back', async () => {
    const store = new RecordingStorage();
    store.failing = true;
    const app = await startWith({ limits: '2/minute', store });
    expect(await statuses(app, '/', 4)).toEqual([200, 200, 429, 429]);
    expect(app.logger.find('store is down')).toHaveLength(1);
    store.failing = false;
    app.clock.advance(60_000);
    expect(await statuses(app, '/', 3)).toEqual([200, 200, 429]);
    expect(app.logger.find('store answers again')).toHaveLength(1);
    store.failing = true;
    expect(await statuses(app, '/other', 1)).toEqual([200]);
    expect(app.logger.find('store is down')).toHaveLength(2);
  });

  const lies: [title: string, store: object][] = [
    ['a decision without policy states', { consume: async () => ({ granted: false, policyStates: [] }) }],
    ['invalid policy states', { consume: async () => ({ granted: true, policyStates: [null] }) }],
    ['an empty record', { increment: async () => ({}) }],
  ];
  it.each(lies)('limits by itself where its store answers %s', async (_title, store) => {
    const app = await startWith({ limits: '2/minute', store: store as ThrottlerStorage });
    expect((await app.send('/')).header('RateLimit')).toBe('"2-per-minute";r=1;t=60');
    expect(await statuses(app, '/', 3)).toEqual([200, 429, 429]);
    expect(app.logger.find('The rate-limit store fails')).toHaveLength(1);
  });

  describe('table of timed sequences', () => {
    const table = loadCases('ratelimit-behaviour').cases;
    /** The rows that are a limit and some requests; the list below names the others. */
    const plain = ['B02', 'B05', 'B06', 'B14', 'B35'];
    const paths: Readonly<Record<string, string>> = {
      'GET /': '/',
      'POST /t': '/',
      'GET /1': '/other',
      'GET /nope': '/nope',
      'GET /sse': '/sse',
    };
    /** Where the table leaves the choice: one quota over all routes, as the contract says. */
    const chosen: Readonly<Record<string, readonly number[]>> = { B06: [200, 200, 429, 429, 429] };

    it.each(table.filter(({ id }) => plain.includes(id)).map(row => [`${row.id} ${row.name}`, row] as const))(
      '%s',
      async (_row, { id, cfg, steps }) => {
        const app = await startWith({
          limits: `${String(cfg['limit'])}/${Number(cfg['ttl'] ?? 1000) / 1000} s`,
        });
        let now = 0;
        const seen: number[] = [];
        for (const [at, request] of steps!) {
          app.clock.advance(Number(at) - now);
          now = Number(at);
          seen.push((await app.send(paths[request]!)).status);
        }
        const expected = steps!.map(([, , status]) => (status === 201 ? 200 : status));
        expect(seen).toEqual(chosen[id] ?? expected);
      },
    );

    it('B03 named windows 1/s 2/5s 5/min', async () => {
      const app = await startWith({
        limits: [
          { limit: '2/5 s', name: 'default' },
          { limit: '5/minute', name: 'long' },
          { limit: '1/second', name: 'short' },
        ],
      });
      const step = async (ms: number): Promise<unknown[]> => {
        app.clock.advance(ms);
        const answer = await app.send('/');
        return [answer.status, answer.header('Retry-After'), answer.header('RateLimit')];
      };
      expect(await step(0)).toEqual([200, undefined, '"default";r=1;t=5, "long";r=4;t=60, "short";r=0;t=1']);
      expect(await step(0)).toEqual([429, '1', '"default";r=1;t=5, "long";r=4;t=60, "short";r=0;t=1']);
      expect(await step(1000)).toEqual([
        200,
        undefined,
        '"default";r=0;t=4, "long";r=3;t=59, "short";r=0;t=1',
      ]);
      // The short limit would grant it and is not charged.
      expect(await step(1000)).toEqual([429, '3', '"default";r=0;t=3, "long";r=3;t=58, "short";r=1;t=0']);
      expect(await step(3000)).toEqual([
        200,
        undefined,
        '"default";r=0;t=1, "long";r=2;t=55, "short";r=0;t=1',
      ]);
    });

    it('B34 a clock that jumps back neither admits a client early nor blocks it longer', async () => {
      let epochMs = Date.UTC(2030, 0, 1);
      let monotonicMs = 1_000;
      const app = await start(platform, {
        controllers: [PlainController],
        options: { rateLimit: { limits: '1/second' } },
        clock: { monotonicMs: () => monotonicMs, epochMs: () => epochMs },
      });
      expect(await statuses(app, '/', 2)).toEqual([200, 429]);
      epochMs += 3_600_000;
      expect(await statuses(app, '/', 1)).toEqual([429]);
      epochMs -= 7_200_000;
      monotonicMs += 1_050;
      expect(await statuses(app, '/', 2)).toEqual([200, 429]);
    });

    it('B11 a limit of 0 stops the start-up', async () => {
      await expect(startWith({ limits: '0/second' })).rejects.toMatchObject({ code: 'ASEC_LIMIT_RANGE' });
    });

    it('runs or lists every row', () => {
      // B04: throttler.spec.ts. B19: a failing store, above. B24: rate-limit-clients.spec.ts. B27: there is no such option.
      // B30: test/client-address. All others run here.
      expect(table.map(({ id }) => id).filter(id => !plain.includes(id))).toEqual([
        'B03',
        'B04',
        'B11',
        'B19',
        'B24',
        'B27',
        'B30',
        'B34',
      ]);
    });
  });
});

describe('RateLimiter', () => {
  const startLimiter = async (): Promise<{ app: RunningApp; limiter: RateLimiter }> => {
    const app = await start(EXPRESS, { controllers: [PlainController] });
    return { app, limiter: app.app.get(RateLimiter) };
  };

  it('takes units from a key until its limit', async () => {
    const { app, limiter } = await startLimiter();
    expect(await limiter.consume('3/minute', 'a', 2)).toEqual({
      granted: true,
      limits: [{ name: '3-per-minute', limit: 3, windowMs: 60_000, remaining: 1, resetMs: 60_000 }],
      retryAfterSeconds: undefined,
      reservation: { units: 2 },
    });
    app.clock.advance(500);
    expect(await limiter.consume('3/minute', 'a', 2)).toEqual({
      granted: false,
      limits: [{ name: '3-per-minute', limit: 3, windowMs: 60_000, remaining: 1, resetMs: 59_500 }],
      retryAfterSeconds: 60,
      reservation: undefined,
    });
    expect((await limiter.consume('3/minute', 'a')).granted).toBe(true);
    expect((await limiter.consume('3/minute', 'b', 3)).granted).toBe(true);
    app.clock.advance(59_500);
    expect((await limiter.consume('3/minute', 'a', 2)).granted).toBe(true);
  });

  it('takes from all limits or from none', async () => {
    const { limiter } = await startLimiter();
    expect((await limiter.consume('1/second, 5/minute', 'a')).granted).toBe(true);
    const rejected = await limiter.consume('1/second, 5/minute', 'a');
    expect(rejected.limits.map(({ remaining }) => remaining)).toEqual([0, 4]);
  });

  it('peeks without taking', async () => {
    const { limiter } = await startLimiter();
    await limiter.consume('3/minute', 'a');
    for (let turn = 0; turn < 5; turn++) {
      expect((await limiter.peek('3/minute', 'a')).limits[0]!.remaining).toBe(2);
    }
  });

  it('resets one key of one policy', async () => {
    const { limiter } = await startLimiter();
    for (const [policy, key] of [
      ['1/minute', 'a'],
      ['1/minute', 'b'],
      ['1/hour', 'a'],
    ] as const)
      await limiter.consume(policy, key);
    await limiter.reset('1/minute', 'a');
    expect((await limiter.consume('1/minute', 'a')).granted).toBe(true);
    expect((await limiter.consume('1/minute', 'b')).granted).toBe(false);
    expect((await limiter.consume('1/hour', 'a')).granted).toBe(false);
  });

  it.each([[-1], [1.5], [Number.NaN], [Infinity], ['2' as unknown as number]])(
    'rejects the cost %p and takes nothing',
    async cost => {
      const { limiter } = await startLimiter();
      await expect(limiter.consume('1/minute', 'a', cost)).rejects.toThrow(RangeError);
      expect((await limiter.peek('1/minute', 'a')).limits[0]!.remaining).toBe(1);
    },
  );

  it('rejects an invalid policy', async () => {
    const { limiter } = await startLimiter();
    await expect(limiter.consume('5/m', 'a')).rejects.toMatchObject({ code: 'ASEC_LIMIT_SYNTAX' });
  });

  it('works where rateLimit is false', async () => {
    const app = await start(EXPRESS, { controllers: [PlainController], options: { rateLimit: false } });
    const limiter = app.app.get(RateLimiter);
    expect((await limiter.consume('1/minute', 'a')).granted).toBe(true);
    expect((await limiter.consume('1/minute', 'a')).granted).toBe(false);
  });
});
