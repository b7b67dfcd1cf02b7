/* What agents spend beside requests: concurrent requests, tokens, budgets of tenants; shadow mode, dynamic limits, alerts. */
import { Controller, Get, type INestApplication, Param, Post, StreamableFile } from '@nestjs/common';
import { Readable } from 'node:stream';
import {
  type RateLimitOptions,
  RateLimit,
  RateLimiter,
  type RateLimitReservation,
  Reserved,
  type SecurityEvent,
  SecurityEvents,
} from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { PLATFORMS, type Platform } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

interface Waiting {
  release(): void;
}
const waiting: Waiting[] = [];
const arrivals: (() => void)[] = [];
/** Resolves once so many handlers wait. */
async function arrived(count: number): Promise<void> {
  while (waiting.length < count) await new Promise<void>(resolve => arrivals.push(resolve));
}
async function wait(): Promise<void> {
  await new Promise<void>(release => {
    waiting.push({ release });
    for (const resolve of arrivals.splice(0)) resolve();
  });
}

const header = (request: unknown, name: string): string =>
  String((request as { headers: Record<string, unknown> }).headers[name] ?? '');
const tenantOf = (request: unknown): string => header(request, 'x-test-tenant');
const limits = new Map<string, string>();
const lookups: string[] = [];

@Controller()
class Work {
  constructor(private readonly limiter: RateLimiter) {}

  @RateLimit({ limit: 2, algorithm: 'concurrency' })
  @Get('concurrent/:what')
  async concurrent(@Param('what') what: string): Promise<string> {
    if (what === 'fails') throw new Error('no');
    if (what === 'waits') await wait();
    return 'done';
  }

  @RateLimit('10/minute', {
    limit: '1000/day',
    name: 'tokens',
    unit: 'tokens',
    cost: request => Number(header(request, 'x-test-estimate')),
  })
  @Post('tokens/:actual')
  async tokens(
    @Param('actual') actual: string,
    @Reserved('tokens') reservation: RateLimitReservation,
  ): Promise<number> {
    await this.limiter.settle(reservation, actual === 'unknown' ? undefined : Number(actual));
    return reservation.units;
  }

  @RateLimit(
    { limit: '100000/day', name: 'tokens', unit: 'tokens', cost: () => 4_000 },
    { limit: '50000/day', name: 'longer', unit: 'tokens', cost: () => 1_000 },
    { limit: '10/hour', name: 'weighted', cost: () => 5 },
  )
  @Post('weighted')
  async weighted(
    @Reserved('tokens') reservation: RateLimitReservation,
    @Reserved('longer') longer: RateLimitReservation,
  ): Promise<void> {
    await this.limiter.settle(reservation, 512);
    await this.limiter.settle(longer, 512);
  }

  @RateLimit(
    { limit: '10/minute', name: 'one', unit: 'tokens' },
    { limit: '10/hour', name: 'two', cost: () => 1 },
  )
  @Post('ambiguous')
  ambiguous(@Reserved() reservation: RateLimitReservation): number {
    return reservation.units;
  }

  @RateLimit({ limit: '3/minute', key: request => (request as unknown as { query: { t: string } }).query.t })
  @Get('keyed')
  keyed(): string {
    return '';
  }

  @RateLimit({ limit: '1000/day', name: 'tokens', unit: 'tokens', cost: () => 300 })
  @Get('stream')
  stream(@Reserved() reservation: RateLimitReservation): StreamableFile {
    const { limiter } = this;
    async function* pieces(): AsyncGenerator<string> {
      yield 'one';
      await limiter.settle(reservation, 50);
      yield 'two';
    }
    return new StreamableFile(Readable.from(pieces()));
  }

  @RateLimit({ limit: '2/minute', name: 'trial', shadow: true }, { limit: '4/minute', name: 'kept' })
  @Get('trial')
  trial(): string {
    return 'served';
  }

  @RateLimit({ limit: '10/minute', name: 'watched', alertAt: [0.5, 1] })
  @Get('watched')
  watched(): string {
    return 'served';
  }

  @RateLimit({ limit: '10/minute', name: 'watched', alertAt: [0.5, 1] })
  @Get('watched-too')
  watchedToo(): string {
    return 'served';
  }

  @Get('plain')
  plain(): string {
    return 'served';
  }

  @RateLimit(
    { limit: '3/minute', name: 'tenant', key: tenantOf },
    { limit: '2/minute', name: 'agent', key: 'client' },
  )
  @Get('nested')
  nested(): string {
    return 'served';
  }

  @RateLimit({
    limit: async partitionKey => {
      lookups.push(partitionKey);
      const limit = limits.get(partitionKey);
      if (limit === undefined) throw new Error('the directory is away');
      return limit;
    },
    key: tenantOf,
    limitTtlMs: 10_000,
  })
  @Get('dynamic')
  dynamic(): string {
    return 'served';
  }

  @RateLimit({
    limit: () => limits.get('concurrent')!,
    algorithm: 'concurrency',
    limitTtlMs: 10_000,
  })
  @Get('dynamic-concurrent')
  async dynamicConcurrent(): Promise<void> {
    await wait();
  }
}

const startWork = (platform: Platform, options: RateLimitOptions = {}): Promise<RunningApp> =>
  start(platform, { controllers: [Work], options: { rateLimit: { flood: false, ...options } } });

const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status);
function recordedEvents(app: INestApplication): SecurityEvent[] {
  const events: SecurityEvent[] = [];
  app.get(SecurityEvents).all.subscribe(event => event.type === 'request.rejected' || events.push(event));
  return events;
}

beforeEach(() => {
  waiting.length = 0;
  lookups.length = 0;
  limits.clear();
});

describe.each(PLATFORMS)('%s', (_title, platform) => {
  describe('concurrency', () => {
    it('limits concurrent requests, and releases each when its response has ended', async () => {
      const app = await startWork(platform);
      const running = [app.send('/concurrent/waits'), app.send('/concurrent/waits')];
      await arrived(2);
      const rejected = await app.send('/concurrent/now');
      expect(rejected.status).toBe(429);
      expect(rejected.header('Retry-After')).toBe('1');
      expect(rejected.header('RateLimit-Policy')).toBe('"2-concurrent";q=2;qu="concurrent-requests"');
      expect(rejected.header('RateLimit')).toBe('"2-concurrent";r=0');
      expect(rejected.json()).toMatchObject({ code: 'rate_limited', detail: 'Limit: 2 concurrent requests' });
      for (const { release } of waiting) release();
      expect(statuses(await Promise.all(running))).toEqual([200, 200]);
      for (let turn = 0; turn < 5; turn++) expect((await app.send('/concurrent/now')).status).toBe(200);
    });

    it('releases the leases of handlers that throw', async () => {
      const app = await startWork(platform);
      for (let turn = 0; turn < 5; turn++) expect((await app.send('/concurrent/fails')).status).toBe(500);
      expect((await app.send('/concurrent/now')).status).toBe(200);
    });

    it('releases the lease of a client that has gone when its handler has ended', async () => {
      const app = await startWork(platform);
      const leaving = new AbortController();
      const left = [0, 1].map(() =>
        fetch(`http://127.0.0.1:${app.port}/concurrent/waits`, { signal: leaving.signal }).catch(
          () => 'left',
        ),
      );
      await arrived(2);
      expect((await app.send('/concurrent/now')).status).toBe(429);
      leaving.abort();
      expect(await Promise.all(left)).toEqual(['left', 'left']);
      expect((await app.send('/concurrent/now')).status).toBe(429);
      for (const { release } of waiting) release();
      // The server learns of it by the socket's `close`, which comes while it serves some further requests.
      let last = 429;
      for (let turn = 0; turn < 100 && last === 429; turn++)
        last = (await app.send('/concurrent/now')).status;
      expect(last).toBe(200);
    });

    it('ends a lease that is never released', async () => {
      const app = await startWork(platform);
      const limiter = app.app.get(RateLimiter);
      const policy = { limit: '1/minute', algorithm: 'concurrency' } as const;
      expect((await limiter.consume(policy, 'job')).granted).toBe(true);
      expect((await limiter.consume(policy, 'job')).granted).toBe(false);
      app.clock.advance(65_000);
      const again = await limiter.consume(policy, 'job');
      expect(again.granted).toBe(true);
      await limiter.settle(again.reservation!, 0);
      expect((await limiter.consume(policy, 'job')).granted).toBe(true);
    });
  });

  describe('cost that is known afterwards', () => {
    const spend = (app: RunningApp, estimate: number, actual: number | string): Promise<Answer> =>
      app.send(`/tokens/${actual}`, { method: 'POST', headers: { 'x-test-estimate': String(estimate) } });
    const left = (answer: Answer): string | undefined =>
      /"tokens";r=(\d+)/.exec(String(answer.header('RateLimit')))?.[1];

    it('gives back what an estimate was above, and charges what it was below', async () => {
      const app = await startWork(platform);
      const first = await spend(app, 400, 100);
      expect(first.header('RateLimit-Policy')).toBe(
        '"10-per-minute";q=10;w=60, "tokens";q=1000;qu="tokens";w=86400',
      );
      expect([left(first), left(await spend(app, 100, 500))]).toEqual(['900', '400']);
    });

    it('leaves the estimate charged where the cost stays unknown', async () => {
      const app = await startWork(platform);
      expect(left(await spend(app, 400, 'unknown'))).toBe('600');
      expect(left(await spend(app, 100, 'NaN'))).toBe('500');
    });

    it('keeps a debt, and denies until it has left the window', async () => {
      const app = await startWork(platform);
      expect(left(await spend(app, 900, 5_000))).toBe('0');
      expect((await spend(app, 1, 1)).status).toBe(429);
      app.clock.advance(86_400_000);
      expect((await spend(app, 1, 1)).status).toBe(201);
    });

    it('@Reserved() without a name fails where several limits are estimated', async () => {
      const app = await startWork(platform);
      expect((await app.send('/ambiguous', { method: 'POST' })).status).toBe(500);
      expect(app.logger.find('name one, as in @Reserved', 'error')).toHaveLength(1);
    });

    it('settles the limits that @Reserved() names, each by its own estimate', async () => {
      const app = await startWork(platform);
      const remaining = [];
      for (let turn = 0; turn < 3; turn++) {
        const answer = await app.send('/weighted', { method: 'POST' });
        remaining.push([
          answer.status,
          ...answer
            .header('RateLimit')!
            .match(/(?<=r=)\d+/g)!
            .map(Number),
        ]);
      }
      expect(remaining).toEqual([
        [201, 99_488, 49_488, 5],
        [201, 98_976, 48_976, 0],
        [429, 98_976, 48_976, 0],
      ]);
    });

    it('settles requests apart from tokens', async () => {
      const app = await startWork(platform);
      const answers: Answer[] = [];
      for (let turn = 0; turn < 11; turn++) answers.push(await spend(app, 10, 0));
      expect(statuses(answers)).toEqual([...Array<number>(10).fill(201), 429]);
      expect(answers.at(-1)!.json()['violated-policies']).toEqual(['10-per-minute']);
      expect(left(answers.at(-1)!)).toBe('1000');
    });

    it('sends the estimate with a stream, and the actual cost with the next response', async () => {
      const app = await startWork(platform);
      const streamed = await app.send('/stream');
      expect([left(streamed), streamed.body]).toEqual(['700', 'onetwo']);
      expect(left(await app.send('/stream'))).toBe('650');
    });
  });

  it('shadow: evaluates and emits an event, without a denial or a header', async () => {
    const app = await startWork(platform);
    const events = recordedEvents(app.app);
    const answers: Answer[] = [];
    for (let turn = 0; turn < 5; turn++) answers.push(await app.send('/trial'));
    expect(statuses(answers)).toEqual([200, 200, 200, 200, 429]);
    expect(answers[2]!.header('RateLimit')).toBe('"kept";r=1;t=60');
    expect(answers[4]!.json()['violated-policies']).toEqual(['kept']);
    expect(events).toEqual([
      expect.objectContaining({ type: 'limit.shadow', policy: 'trial', key: '127.0.0.1', limit: 2 }),
    ]);
  });

  it('alertAt: emits an event once a window for each share that a client has used', async () => {
    const app = await startWork(platform);
    const events = recordedEvents(app.app);
    for (let turn = 0; turn < 12; turn++) await app.send('/watched');
    expect(events).toEqual([
      expect.objectContaining({ type: 'limit.threshold', policy: 'watched', share: 0.5, used: 5, limit: 10 }),
      expect.objectContaining({ type: 'limit.threshold', policy: 'watched', share: 1, used: 10, limit: 10 }),
    ]);
    expect((events[0] as { requestId?: string }).requestId).toMatch(/^[\w-]{36}$/);
    app.clock.advance(60_000);
    for (let turn = 0; turn < 5; turn++) await app.send('/watched');
    expect(events).toHaveLength(3);
  });

  it('alertAt: emits an event for each of two routes and a programmatic limit of one text', async () => {
    const app = await startWork(platform);
    const events = recordedEvents(app.app);
    for (const path of ['/watched', '/watched-too'])
      for (let turn = 0; turn < 6; turn++) await app.send(path);
    const policy = { limit: '10/minute', name: 'watched', alertAt: [0.5, 1] } as const;
    await app.app.get(RateLimiter).consume(policy, '127.0.0.1', 5);
    expect(events.map(event => 'used' in event && event.used)).toEqual([5, 5, 5]);
  });

  it('alertAt: emits one event for the module’s quota, which routes and 404s share', async () => {
    const app = await startWork(platform, { limits: { limit: '10/minute', alertAt: [0.2] } });
    const events = recordedEvents(app.app);
    for (const path of ['/plain', '/plain', '/nowhere', '/plain', '/nowhere']) await app.send(path);
    expect(events.map(event => 'used' in event && event.used)).toEqual([2]);
  });

  it('decides a tenant’s and an agent’s budget together', async () => {
    const app = await startWork(platform, { key: 'client' });
    const fetchAs = (tenant: string): Promise<Answer> =>
      app.send('/nested', { headers: { 'x-test-tenant': tenant } });
    const answers = [await fetchAs('a'), await fetchAs('a'), await fetchAs('a')];
    expect(statuses(answers)).toEqual([200, 200, 429]);
    expect(answers[2]!.json()['violated-policies']).toEqual(['agent']);
    // The rejected request took nothing of the tenant's budget.
    expect(answers[2]!.header('RateLimit')).toContain('"tenant";r=1');
  });

  describe('dynamic limits', () => {
    const fetchAs = (app: RunningApp, tenant = 'acme'): Promise<Answer> =>
      app.send('/dynamic', { headers: { 'x-test-tenant': tenant } });

    it('looks up once for a while, and for each partition key', async () => {
      limits.set('acme', '3/minute').set('other', '1/minute');
      const app = await startWork(platform);
      const answers = [
        await fetchAs(app),
        await fetchAs(app),
        await fetchAs(app, 'other'),
        await fetchAs(app, 'other'),
      ];
      expect(statuses(answers)).toEqual([200, 200, 200, 429]);
      expect(answers[1]!.header('RateLimit')).toBe('"3-per-minute";r=1;t=60');
      expect(lookups).toEqual(['acme', 'other']);
    });

    it('counts on under a changed limit', async () => {
      limits.set('acme', '3/minute');
      const app = await startWork(platform);
      await fetchAs(app);
      await fetchAs(app);
      limits.set('acme', '5/minute');
      app.clock.advance(10_000);
      expect((await fetchAs(app)).header('RateLimit')).toMatch(/^"5-per-minute";r=2/);
    });

    it('releases leases that were taken before the limit changed', async () => {
      limits.set('concurrent', '2');
      const app = await startWork(platform);
      const running = [app.send('/dynamic-concurrent'), app.send('/dynamic-concurrent')];
      await arrived(2);
      limits.set('concurrent', '3');
      app.clock.advance(10_000);
      running.push(app.send('/dynamic-concurrent'));
      await arrived(3);
      expect((await app.send('/dynamic-concurrent')).status).toBe(429);
      for (const { release } of waiting.splice(0)) release();
      expect(statuses(await Promise.all(running))).toEqual([200, 200, 200]);
      const next = app.send('/dynamic-concurrent');
      await arrived(1);
      waiting[0]!.release();
      expect((await next).header('RateLimit')).toBe('"3-concurrent";r=2');
    });

    it('keeps the last limit while the lookup fails, and answers 503 where it knows none', async () => {
      limits.set('acme', '3/minute');
      const app = await startWork(platform);
      await fetchAs(app);
      limits.clear();
      app.clock.advance(10_000);
      expect((await fetchAs(app)).header('RateLimit')).toMatch(/^"3-per-minute";r=1/);
      const unknown = await fetchAs(app, 'new');
      expect([unknown.status, unknown.json()['code'], unknown.header('Retry-After')]).toEqual([
        503,
        'limits_unavailable',
        '1',
      ]);
      expect(app.logger.find('could not be resolved', 'error')).toHaveLength(1);
    });
  });

  it('a key that is no text is a mistake of that request alone, and counted by the address', async () => {
    const app = await startWork(platform);
    const mistaken = [];
    for (let turn = 0; turn < 6; turn++) mistaken.push(await app.send('/keyed?t=a&t=b'));
    expect(statuses(mistaken)).toEqual([500, 500, 500, 429, 429, 429]);
    const answers = [];
    for (let turn = 0; turn < 4; turn++) answers.push(await app.send('/keyed?t=a'));
    expect(statuses(answers)).toEqual([200, 200, 200, 429]);
  });
});
