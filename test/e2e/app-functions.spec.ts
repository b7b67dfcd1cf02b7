/* Functions of the app that a rate limit calls: key, cost, limit. A request whose function throws is counted, and the log stays bounded. */
import { Controller, type ExecutionContext, ForbiddenException, Get, Injectable } from '@nestjs/common';
import { Throttle } from '@nestjs/throttler';
import { RateLimit, RateLimitGuard, type RateLimitOptions } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

const fail = (): never => {
  throw new Error('cause\nforged');
};

@Controller()
class FaultyController {
  @RateLimit({ limit: '3/minute', cost: fail })
  @Get('cost-throws')
  costThrows(): object {
    return {};
  }

  @RateLimit({ limit: '3/minute', cost: async () => fail() })
  @Get('cost-rejects')
  costRejects(): object {
    return {};
  }

  @RateLimit({ limit: '3/minute', cost: () => NaN })
  @Get('cost-nan')
  costNan(): object {
    return {};
  }

  @RateLimit({ limit: '3/minute', cost: () => -1 })
  @Get('cost-negative')
  costNegative(): object {
    return {};
  }

  @RateLimit({ limit: '3/minute', cost: () => '1' as never })
  @Get('cost-text')
  costText(): object {
    return {};
  }

  @RateLimit({ limit: '3/minute', key: fail })
  @Get('key-throws')
  keyThrows(): object {
    return {};
  }

  @RateLimit({ limit: '3/minute', key: () => ['a', 'b'] as never })
  @Get('key-list')
  keyList(): object {
    return {};
  }

  @RateLimit({ limit: fail })
  @Get('limit-throws')
  limitThrows(): object {
    return {};
  }

  @RateLimit({ limit: () => 'many' })
  @Get('limit-malformed')
  limitMalformed(): object {
    return {};
  }

  @Throttle({ default: { limit: fail, ttl: 60_000 } })
  @Get('throttle-throws')
  throttleThrows(): object {
    return {};
  }

  @Throttle({ default: { limit: () => NaN, ttl: 60_000 } })
  @Get('throttle-nan')
  throttleNan(): object {
    return {};
  }

  @Throttle({ default: { limit: 3, ttl: 60_000, getTracker: fail } })
  @Get('tracker-throws')
  trackerThrows(): object {
    return {};
  }

  @Throttle({ default: { limit: 3, ttl: 60_000, generateKey: fail } })
  @Get('generate-throws')
  generateThrows(): object {
    return {};
  }

  @RateLimit({
    limit: '3/minute',
    key: () => {
      throw new ForbiddenException('chosen');
    },
  })
  @Get('chosen')
  chosen(): object {
    return {};
  }

  @RateLimit({ limit: 1, algorithm: 'concurrency', name: 'concurrent' }, { limit: '3/minute', cost: fail })
  @Get('concurrent')
  concurrent(): object {
    return {};
  }

  @Get('plain')
  plain(): object {
    return {};
  }
}

@Injectable()
class SkippingGuard extends RateLimitGuard {
  protected override shouldSkip(_context: ExecutionContext): Promise<boolean> {
    return fail();
  }
}

@Injectable()
class TrackingGuard extends RateLimitGuard {
  protected override getTracker(): Promise<string> {
    return fail();
  }
}

const MODULE: RateLimitOptions = { limits: '3/minute' };
type Row = readonly [
  title: string,
  path: string,
  status: number,
  rateLimit: RateLimitOptions,
  extras: NonNullable<AppParts['extras']>,
];
const rows: readonly Row[] = [
  ['a cost function that throws', '/cost-throws', 500, {}, {}],
  ['a cost function that rejects', '/cost-rejects', 500, {}, {}],
  ['a cost of NaN', '/cost-nan', 500, {}, {}],
  ['a negative cost', '/cost-negative', 500, {}, {}],
  ['a cost that is text', '/cost-text', 500, {}, {}],
  ['a key function that throws', '/key-throws', 500, {}, {}],
  ['a key that is a list', '/key-list', 500, {}, {}],
  ['a key function of the module', '/plain', 500, { ...MODULE, key: fail }, {}],
  ['a limit function that throws', '/limit-throws', 503, MODULE, {}],
  ['a limit function that returns no limit', '/limit-malformed', 503, MODULE, {}],
  ['a function of @Throttle()', '/throttle-throws', 500, MODULE, {}],
  ['a function of @Throttle() that returns NaN', '/throttle-nan', 500, MODULE, {}],
  ['a getTracker() of @Throttle()', '/tracker-throws', 500, { limits: '100/minute' }, {}],
  ['a generateKey() of @Throttle()', '/generate-throws', 500, { limits: '100/minute' }, {}],
  ['a tier function that throws', '/plain', 500, { ...MODULE, tiers: { a: '5/minute' }, tier: fail }, {}],
  [
    'a tier that is an object',
    '/plain',
    500,
    { ...MODULE, tiers: { a: '5/minute' }, tier: () => ({}) as never },
    {},
  ],
  [
    'a shouldSkip() that throws',
    '/plain',
    500,
    MODULE,
    { providers: [{ provide: RateLimitGuard, useClass: SkippingGuard }] },
  ],
  [
    'a getTracker() of a subclass',
    '/plain',
    500,
    MODULE,
    { providers: [{ provide: RateLimitGuard, useClass: TrackingGuard }] },
  ],
  ['a function beside a concurrency limit', '/concurrent', 500, {}, {}],
];

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  const launch = (
    rateLimit: RateLimitOptions,
    extras: NonNullable<AppParts['extras']> = {},
  ): Promise<RunningApp> =>
    start(platform, { controllers: [FaultyController], options: { rateLimit }, extras });

  it.each(rows)(
    '%s: the request is counted, and logged once a minute',
    async (_row, path, status, rateLimit, extras) => {
      const app = await launch(rateLimit, extras);
      const statuses: number[] = [];
      for (let turn = 0; turn < 5; turn++) statuses.push((await app.send(path)).status);
      expect(statuses).toEqual([status, status, status, 429, 429]);
      expect(app.logger.find(/^(?!Rejected)/, 'error')).toHaveLength(1);
      app.clock.advance(60_000);
      const again = await app.send(path);
      expect(again.status).toBe(status);
      expect(again.body).not.toContain('cause');
      expect(app.logger.find(/^(?!Rejected)/, 'error')).toHaveLength(status === 503 ? 1 : 2);
    },
  );

  it('names the function in one line, and the request', async () => {
    const app = await launch({});
    const answer = await app.send('/cost-throws');
    expect(answer.json()).toMatchObject({ code: 'internal_error', status: 500 });
    const [line] = app.logger.find('cost function', 'error');
    expect(line!.message).toContain(`[${answer.header('X-Request-ID')}]`);
    expect(line!.message).toContain('cause\\u000aforged');
  });

  it('leaves the answer to a function that throws an HttpException below 500', async () => {
    const app = await launch({});
    const statuses: number[] = [];
    for (let turn = 0; turn < 5; turn++) statuses.push((await app.send('/chosen')).status);
    expect(statuses).toEqual([403, 403, 403, 429, 429]);
    expect(app.logger.find(/^(?!Rejected)/, 'error')).toEqual([]);
  });
});
