/* A limit in shadow mode is counted and reported to the app, and no response shows it. */
import { Controller, Get, type ExecutionContext, Injectable } from '@nestjs/common';
import { Throttle, type ThrottlerRequest } from '@nestjs/throttler';
import {
  type AgentSecurityOptions,
  AgentTool,
  RateLimit,
  RateLimitGuard,
  RateLimiter,
  type RateLimitOptions,
  type RateLimitReservation,
  Reserved,
  type SecurityEvent,
  SecurityEvents,
} from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

const FIELDS = [
  'RateLimit',
  'RateLimit-Policy',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'Retry-After',
];
const NOTHING: readonly undefined[] = FIELDS.map(() => undefined);
const fieldsOf = (answer: Answer): (string | undefined)[] => FIELDS.map(name => answer.header(name));

@Controller()
class TriedController {
  constructor(private readonly limiter: RateLimiter) {}

  @Get('module')
  module(): object {
    return {};
  }

  @RateLimit({ limit: '1/minute', shadow: true })
  @Get('route')
  route(): object {
    return {};
  }

  @RateLimit({ limit: '1/minute', shadow: true, cost: () => 2 })
  @Get('cost')
  cost(@Reserved() _reserved: unknown): object {
    return {};
  }

  @RateLimit({ limit: '2/minute', cost: () => 2 })
  @Get('settled')
  async settled(@Reserved() reservation: RateLimitReservation): Promise<object> {
    const { limits } = await this.limiter.settle(reservation, 1);
    return { units: reservation.units, settled: limits.map(({ remaining }) => remaining) };
  }

  @Throttle({ default: { limit: 1, ttl: 60_000 } })
  @Get('throttle')
  throttle(): object {
    return {};
  }

  @AgentTool('tried', { limit: '1/minute' })
  @Get('tool')
  tool(): object {
    return {};
  }

  @RateLimit({ limit: '1/minute', shadow: true, name: 'tried' }, { limit: '2/minute', name: 'kept' })
  @Get('both')
  both(): object {
    return {};
  }
}

/** As a ThrottlerGuard's subclass that does something around each limit. */
@Injectable()
class OwnGuard extends RateLimitGuard {
  protected override handleRequest(request: ThrottlerRequest): Promise<boolean> {
    return super.handleRequest(request);
  }
}

/** A subclass whose methods are called for each request. */
@Injectable()
class SlowGuard extends RateLimitGuard {
  protected override async shouldSkip(_context: ExecutionContext): Promise<boolean> {
    return false;
  }
}

const ALL: RateLimitOptions = { limits: '1/minute', shadow: true, flood: false };

describe.each(PLATFORMS)('shadow mode on %s', (_title, platform) => {
  type Row = readonly [
    title: string,
    path: string,
    rateLimit: RateLimitOptions,
    more: Pick<AppParts, 'extras'>,
  ];
  const rows: readonly Row[] = [
    ['the module, by rateLimit.shadow', '/module', ALL, {}],
    ['the module, by the limit', '/module', { limits: { limit: '1/minute', shadow: true } }, {}],
    ['the module, for a path that no route answers', '/none', ALL, {}],
    ['a route, by rateLimit.shadow', '/route', ALL, {}],
    ['a route, by the limit', '/route', { limits: '100/minute' }, {}],
    ['a route with an estimate', '/cost', ALL, {}],
    ['a @Throttle()', '/throttle', ALL, {}],
    ['a tool', '/tool', ALL, {}],
    [
      'the module, in a guard that overrides handleRequest()',
      '/module',
      ALL,
      { extras: { providers: [{ provide: RateLimitGuard, useClass: OwnGuard }] } },
    ],
    [
      'the module, in a guard that overrides shouldSkip()',
      '/module',
      ALL,
      { extras: { providers: [{ provide: RateLimitGuard, useClass: SlowGuard }] } },
    ],
  ];
  it.each(rows)('is in no header: %s', async (_row, path, rateLimit, more) => {
    const app = await start(platform, {
      controllers: [TriedController],
      options: { rateLimit } as AgentSecurityOptions,
      ...more,
    });
    for (let turn = 0; turn < 3; turn++) {
      const answer = await app.send(path);
      expect([answer.status, ...fieldsOf(answer)]).toEqual([path === '/none' ? 404 : 200, ...NOTHING]);
    }
  });

  it('reserves nothing and settles nothing for a request that exceeds the limit', async () => {
    const app = await start(platform, { controllers: [TriedController], options: { rateLimit: ALL } });
    const answers = [];
    for (let turn = 0; turn < 3; turn++) answers.push((await app.send('/settled')).json());
    expect(answers).toEqual([
      { units: 2, settled: [1] },
      { units: 0, settled: [] },
      { units: 0, settled: [] },
    ]);
  });

  it('leaves the headers and the problem of an enforced limit beside it alone', async () => {
    const app = await start(platform, { controllers: [TriedController] });
    expect((await app.send('/both')).header('RateLimit')).toBe('"kept";r=1;t=60');
    await app.send('/both');
    const rejected = await app.send('/both');
    expect(rejected.status).toBe(429);
    expect(rejected.header('RateLimit-Policy')).toBe('"kept";q=2;w=60');
    expect(rejected.body).not.toContain('tried');
  });

  it('reports what a tool would have denied', async () => {
    const app = await start(platform, {
      controllers: [TriedController],
      options: { rateLimit: ALL } as never,
    });
    const events: SecurityEvent[] = [];
    app.app.get(SecurityEvents).all.subscribe(event => events.push(event));
    await app.send('/tool');
    await app.send('/tool');
    expect(events.filter(({ type }) => type === 'limit.shadow')).toMatchObject([
      { policy: '1-per-minute' },
      { policy: 'tried/1-per-minute', key: 'address:127.0.0.1' },
    ]);
  });

  it('is in no answer to a missing credential', async () => {
    const book = new TestKeys();
    const app = await start(platform, {
      controllers: [TriedController],
      options: {
        rateLimit: ALL,
        auth: { apiKeys: { store: book.store, secret: SECRET } },
      } as AgentSecurityOptions,
    });
    const answer = await app.send('/module');
    expect([answer.status, ...fieldsOf(answer)]).toEqual([401, ...NOTHING]);
  });
});
