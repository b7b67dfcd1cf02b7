/* What the README of @nestjs/throttler promises, under this module's guard: decorators, storages, subclasses and exceptions that
 * were written for it. */
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Injectable,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, HttpAdapterHost } from '@nestjs/core';
import {
  seconds,
  SkipThrottle,
  Throttle,
  ThrottlerException,
  ThrottlerGuard,
  type ThrottlerLimitDetail,
  ThrottlerModule,
  type ThrottlerRequest,
} from '@nestjs/throttler';
import { QuotaThrottlerStorage, RateLimit, RateLimitGuard, type RateLimitOptions } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

type Headers = { headers: Record<string, string | undefined> };
const teamOf = (request: Record<string, unknown>): string =>
  (request as unknown as Headers).headers['x-team'] ?? 'unknown';

const granted = (times: number): number[] => Array<number>(times).fill(200);

async function statuses(
  app: RunningApp,
  path: string,
  times: number,
  headers: Record<string, string> = {},
): Promise<number[]> {
  const list: number[] = [];
  for (let turn = 0; turn < times; turn++) list.push((await app.send(path, { headers })).status);
  return list;
}

@Controller()
class HandlersController {
  @Get('plain')
  plain(): string {
    return 'plain';
  }

  @Throttle({ default: { limit: 3, ttl: 60_000 } })
  @Get('three')
  three(): string {
    return 'three';
  }

  @Throttle({ default: { limit: 2, ttl: seconds(5) } })
  @Get('five-seconds')
  fiveSeconds(): string {
    return 'five-seconds';
  }

  @Throttle({ default: { limit: 2 } })
  @Get('only-limit')
  onlyLimit(): string {
    return 'only-limit';
  }

  @Throttle({ default: { ttl: 1_000 } })
  @Get('only-ttl')
  onlyTtl(): string {
    return 'only-ttl';
  }

  @SkipThrottle()
  @Get('skipped')
  skipped(): string {
    return 'skipped';
  }

  @Throttle({ default: { limit: 2, ttl: 10_000, blockDuration: 5_000 } })
  @Get('block-explicit')
  blockExplicit(): string {
    return 'block';
  }

  @Throttle({ default: { limit: 2, ttl: 10_000, blockDuration: 0 } })
  @Get('block-none')
  blockNone(): string {
    return 'block';
  }

  @Throttle({ default: { limit: 2, ttl: 10_000 } })
  @Get('block-default')
  blockDefault(): string {
    return 'block';
  }

  @Throttle({ default: { limit: 1, ttl: 60_000, getTracker: teamOf } })
  @Get('tracked')
  tracked(): string {
    return 'tracked';
  }

  @Throttle({ default: { limit: 1, ttl: 60_000, getTracker: async request => teamOf(request) } })
  @Get('tracked-later')
  trackedLater(): string {
    return 'tracked';
  }

  @Throttle({
    default: { limit: 1, ttl: 60_000, generateKey: (_context, _tracker, name) => `everybody-${name}` },
  })
  @Get('keyed')
  keyed(): string {
    return 'keyed';
  }

  @Throttle({
    default: {
      limit: async context => Number(context.switchToHttp().getRequest<Headers>().headers['x-limit'] ?? 1),
      ttl: context => Number(context.switchToHttp().getRequest<Headers>().headers['x-ttl'] ?? 60_000),
    },
  })
  @Get('functions')
  functions(): string {
    return 'functions';
  }
}

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  const startWith = (
    limits: RateLimitOptions['limits'],
    controllers: Type[] = [HandlersController],
    parts: AppParts = {},
  ): Promise<RunningApp> =>
    start(platform, { ...parts, controllers, options: { rateLimit: { limits: limits! }, ...parts.options } });

  describe('@Throttle()', () => {
    it('on a handler takes the place of the unnamed limits', async () => {
      const app = await startWith(['1/second', '2/hour']);
      expect(await statuses(app, '/three', 4)).toEqual([...granted(3), 429]);
      expect(await statuses(app, '/plain', 2)).toEqual([200, 429]);
    });

    it('tells its own numbers, and 429 carries all headers', async () => {
      const app = await startWith('1/second');
      const first = await app.send('/three');
      expect([first.header('X-RateLimit-Limit'), first.header('X-RateLimit-Remaining')]).toEqual(['3', '2']);
      await statuses(app, '/three', 2);
      const rejected = await app.send('/three');
      expect([rejected.header('X-RateLimit-Remaining'), rejected.header('Retry-After')]).toEqual(['0', '60']);
      expect(rejected.lines.filter(([name]) => /^retry-after-/i.test(name))).toEqual([]);
      expect(rejected.repeated).toEqual([]);
      expect(rejected.json()).toMatchObject({ code: 'rate_limited', status: 429 });
    });

    it.each(['ключ', 'na"me', 'büro', 'a b', ''])('stops the start-up for the name %j', async name => {
      @Controller()
      class Named {
        @Throttle({ [name]: { limit: 2, ttl: 1_000 } })
        @Get()
        root(): string {
          return '';
        }
      }
      await expect(startWith('1/minute', [Named])).rejects.toThrow(/ASEC_LIMIT_NAME/);
    });

    it('reads ttl in milliseconds', async () => {
      const app = await startWith('1/second');
      await statuses(app, '/five-seconds', 2);
      expect((await app.send('/five-seconds')).header('Retry-After')).toBe('5');
    });

    it('counts each handler for itself', async () => {
      const app = await startWith('9/second');
      await statuses(app, '/three', 3);
      expect(await statuses(app, '/five-seconds', 2)).toEqual(granted(2));
    });

    it('on a class holds for its handlers, and a handler wins', async () => {
      @Controller()
      @Throttle({ default: { limit: 2, ttl: 60_000 } })
      class ThrottledController {
        @Get('one')
        one(): string {
          return 'one';
        }

        @Throttle({ default: { limit: 1, ttl: 60_000 } })
        @Get('own')
        own(): string {
          return 'own';
        }
      }
      const app = await startWith('9/second', [ThrottledController]);
      expect(await statuses(app, '/one', 3)).toEqual([...granted(2), 429]);
      expect(await statuses(app, '/own', 2)).toEqual([200, 429]);
    });

    it('keeps the configured ttl where it names the limit alone', async () => {
      const app = await startWith('9/30 s');
      expect(await statuses(app, '/only-limit', 3)).toEqual([...granted(2), 429]);
      expect((await app.send('/only-limit')).header('Retry-After')).toBe('30');
    });

    it('keeps the configured limit where it names the ttl alone', async () => {
      const app = await startWith('3/minute');
      expect(await statuses(app, '/only-ttl', 4)).toEqual([...granted(3), 429]);
      expect((await app.send('/only-ttl')).header('Retry-After')).toBe('1');
    });

    it.each([
      ['getTracker', '/tracked'],
      ['an async getTracker', '/tracked-later'],
    ])('counts by %s', async (_row, path) => {
      const app = await startWith('9/second');
      const of = (team: string): Promise<number[]> => statuses(app, path, 2, { 'X-Team': team });
      expect([await of('red'), await of('blue')]).toEqual([
        [200, 429],
        [200, 429],
      ]);
    });

    it('counts by generateKey', async () => {
      const app = await startWith('9/second', [HandlersController], {
        options: { trustProxy: 'loopback', rateLimit: { limits: '9/second' } },
      });
      expect(await statuses(app, '/keyed', 1, { 'X-Forwarded-For': '203.0.113.1' })).toEqual([200]);
      expect(await statuses(app, '/keyed', 1, { 'X-Forwarded-For': '203.0.113.2' })).toEqual([429]);
    });

    it('takes functions of the context for limit and ttl', async () => {
      const app = await startWith('9/second');
      expect(await statuses(app, '/functions', 4, { 'X-Limit': '3', 'X-TTL': '5000' })).toEqual([
        ...granted(3),
        429,
      ]);
      const rejected = await app.send('/functions', { headers: { 'X-Limit': '3', 'X-TTL': '5000' } });
      expect(rejected.header('Retry-After')).toBe('5');
      expect(await statuses(app, '/functions', 2)).toEqual([200, 429]);
    });

    it.each(['NaN', '0', 'many'])('does not fail open where a function gives the limit %p', async limit => {
      const app = await startWith('9/second');
      expect(await statuses(app, '/functions', 2, { 'X-Limit': limit })).toEqual([500, 500]);
    });
  });

  describe('blockDuration', () => {
    it('is as long as the ttl by default', async () => {
      const app = await startWith('9/second');
      expect(await statuses(app, '/block-default', 2)).toEqual(granted(2));
      app.clock.advance(9_000);
      const rejected = await app.send('/block-default');
      expect([rejected.status, rejected.header('Retry-After')]).toEqual([429, '10']);
      app.clock.advance(9_999);
      expect(await statuses(app, '/block-default', 1)).toEqual([429]);
      app.clock.advance(1);
      expect(await statuses(app, '/block-default', 3)).toEqual([...granted(2), 429]);
    });

    it('is what it is set to, and the count starts afresh behind it', async () => {
      const app = await startWith('9/second');
      expect(await statuses(app, '/block-explicit', 3)).toEqual([...granted(2), 429]);
      app.clock.advance(4_999);
      expect(await statuses(app, '/block-explicit', 1)).toEqual([429]);
      app.clock.advance(1);
      const answer = await app.send('/block-explicit');
      expect([answer.status, answer.header('X-RateLimit-Remaining')]).toEqual([200, '1']);
    });

    it('0 lets through as soon as the oldest hit has left the window', async () => {
      const app = await startWith('9/second');
      await statuses(app, '/block-none', 1);
      app.clock.advance(6_000);
      expect(await statuses(app, '/block-none', 2)).toEqual([200, 429]);
      app.clock.advance(4_000);
      expect(await statuses(app, '/block-none', 2)).toEqual([200, 429]);
    });
  });

  describe('@SkipThrottle()', () => {
    it('skips the unnamed limits', async () => {
      const app = await startWith(['1/second', '1/hour']);
      expect(await statuses(app, '/skipped', 5)).toEqual(granted(5));
    });

    it('on a class skips its handlers, and a handler may negate it', async () => {
      @Controller()
      @SkipThrottle()
      class SkippedController {
        @Get('free')
        free(): string {
          return 'free';
        }

        @SkipThrottle({ default: false })
        @Get('limited')
        limited(): string {
          return 'limited';
        }
      }
      const app = await startWith('1/minute', [SkippedController]);
      expect(await statuses(app, '/free', 3)).toEqual(granted(3));
      expect(await statuses(app, '/limited', 2)).toEqual([200, 429]);
    });
  });

  describe('named limits', () => {
    @Controller()
    class NamedController {
      @Get('plain')
      plain(): string {
        return 'plain';
      }

      @SkipThrottle()
      @Get('skip-default')
      skipDefault(): string {
        return 'skip';
      }

      @SkipThrottle({ short: true })
      @Get('skip-short')
      skipShort(): string {
        return 'skip';
      }

      @SkipThrottle({ short: true, long: true })
      @Get('skip-both')
      skipBoth(): string {
        return 'skip';
      }

      @Throttle({ short: { limit: 2, ttl: 1_000 } })
      @Get('wider')
      wider(): string {
        return 'wider';
      }
    }
    const LIMITS = [
      { limit: '1/second', name: 'short' },
      { limit: '3/minute', name: 'long' },
    ];
    const rows: readonly [title: string, path: string, expected: number[], policies: string | undefined][] = [
      ['all hold', '/plain', [200, 429, 429, 429], '"short";q=1;w=1, "long";q=3;w=60'],
      [
        '@SkipThrottle() skips none of them',
        '/skip-default',
        [200, 429, 429, 429],
        '"short";q=1;w=1, "long";q=3;w=60',
      ],
      ['@SkipThrottle({ name }) skips that one', '/skip-short', [...granted(3), 429], '"long";q=3;w=60'],
      ['@SkipThrottle() of all names skips all', '/skip-both', granted(4), undefined],
      [
        '@Throttle({ name }) replaces that one',
        '/wider',
        [200, 200, 429, 429],
        '"long";q=3;w=60, "short";q=2;w=1',
      ],
    ];
    it.each(rows)('%s', async (_row, path, expected, policies) => {
      const app = await startWith(LIMITS, [NamedController]);
      expect((await app.send(path)).header('RateLimit-Policy')).toBe(policies);
      expect(await statuses(app, path, 3)).toEqual(expected.slice(1));
    });
  });

  describe('a subclass of RateLimitGuard', () => {
    const withGuard = (
      useClass: Type,
      limits: RateLimitOptions['limits'] = '1/minute',
    ): Promise<RunningApp> =>
      startWith(limits, [HandlersController], {
        extras: { providers: [{ provide: RateLimitGuard, useClass }] },
      });

    it('may override getTracker', async () => {
      @Injectable()
      class TeamGuard extends RateLimitGuard {
        protected override async getTracker(request: Record<string, unknown>): Promise<string> {
          return teamOf(request);
        }
      }
      const app = await withGuard(TeamGuard);
      expect(await statuses(app, '/plain', 2, { 'X-Team': 'red' })).toEqual([200, 429]);
      expect(await statuses(app, '/plain', 2, { 'X-Team': 'blue' })).toEqual([200, 429]);
    });

    it('may override getTracker in a field', async () => {
      @Injectable()
      class FieldGuard extends RateLimitGuard {
        protected override getTracker = async (request: Record<string, unknown>): Promise<string> =>
          teamOf(request);
      }
      const app = await withGuard(FieldGuard);
      expect(await statuses(app, '/plain', 2, { 'X-Team': 'red' })).toEqual([200, 429]);
      expect(await statuses(app, '/plain', 2, { 'X-Team': 'blue' })).toEqual([200, 429]);
    });

    it('may override generateKey', async () => {
      const calls: unknown[] = [];
      @Injectable()
      class KeyGuard extends RateLimitGuard {
        protected override generateKey(context: ExecutionContext, tracker: string, name: string): string {
          calls.push([tracker, name]);
          return context.switchToHttp().getRequest<Headers>().headers['x-team'] ?? 'unknown';
        }
      }
      const app = await withGuard(KeyGuard);
      expect(await statuses(app, '/plain', 2, { 'X-Team': 'red' })).toEqual([200, 429]);
      expect(await statuses(app, '/plain', 1, { 'X-Team': 'blue' })).toEqual([200]);
      expect(calls[0]).toEqual(['127.0.0.1', '1-per-minute']);
    });

    it('may override shouldSkip', async () => {
      @Injectable()
      class SkipGuard extends RateLimitGuard {
        protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
          return context.switchToHttp().getRequest<Headers>().headers['x-team'] === 'free';
        }
      }
      const app = await withGuard(SkipGuard);
      expect(await statuses(app, '/plain', 3, { 'X-Team': 'free' })).toEqual(granted(3));
      expect(await statuses(app, '/plain', 2)).toEqual([200, 429]);
    });

    it('may override throwThrottlingException', async () => {
      const details: ThrottlerLimitDetail[] = [];
      @Injectable()
      class ThrowGuard extends RateLimitGuard {
        protected override async throwThrottlingException(
          _context: ExecutionContext,
          detail: ThrottlerLimitDetail,
        ): Promise<void> {
          details.push(detail);
          throw new ThrottlerException('slow down');
        }
      }
      const app = await withGuard(ThrowGuard);
      await statuses(app, '/plain', 1);
      const rejected = await app.send('/plain');
      expect([rejected.status, rejected.header('Retry-After')]).toEqual([429, '60']);
      expect(rejected.json()).toMatchObject({ code: 'rate_limited', detail: 'slow down' });
      expect(details).toEqual([
        {
          limit: 1,
          ttl: 60_000,
          key: expect.any(String),
          tracker: '127.0.0.1',
          totalHits: 2,
          timeToExpire: 60,
          isBlocked: true,
          timeToBlockExpire: 60,
        },
      ]);
    });

    it('may override getErrorMessage', async () => {
      @Injectable()
      class MessageGuard extends RateLimitGuard {
        protected override async getErrorMessage(): Promise<string> {
          return 'slow down';
        }
      }
      const app = await withGuard(MessageGuard);
      await statuses(app, '/plain', 1);
      const rejected = await app.send('/plain');
      expect(rejected.status).toBe(429);
      expect(rejected.json()).toMatchObject({ code: 'rate_limited', detail: 'slow down' });
    });

    it('may override handleRequest', async () => {
      const calls: unknown[] = [];
      @Injectable()
      class HandleGuard extends RateLimitGuard {
        protected override async handleRequest(request: ThrottlerRequest): Promise<boolean> {
          const { limit, ttl, throttler, blockDuration, context } = request;
          calls.push([throttler.name, limit, ttl, blockDuration]);
          if (teamOf(context.switchToHttp().getRequest()) === 'free') return true;
          return super.handleRequest(request);
        }
      }
      const app = await withGuard(HandleGuard);
      expect(await statuses(app, '/plain', 3, { 'X-Team': 'free' })).toEqual(granted(3));
      expect(await statuses(app, '/plain', 2)).toEqual([200, 429]);
      expect(calls[0]).toEqual(['default', 1, 60_000, 60_000]);
    });

    describe('may override canActivate', () => {
      @Injectable()
      class AwaitingGuard extends RateLimitGuard {
        override async canActivate(context: ExecutionContext): Promise<boolean> {
          return teamOf(context.switchToHttp().getRequest()) === 'free' || (await super.canActivate(context));
        }
      }
      @Injectable()
      class ChainingGuard extends RateLimitGuard {
        override canActivate(context: ExecutionContext): Promise<boolean> {
          if (teamOf(context.switchToHttp().getRequest()) === 'free') return Promise.resolve(true);
          return super.canActivate(context).then(isGranted => isGranted);
        }
      }
      @Injectable()
      class FieldGuard extends RateLimitGuard {
        override canActivate = async (context: ExecutionContext): Promise<boolean> =>
          teamOf(context.switchToHttp().getRequest()) === 'free' ||
          RateLimitGuard.prototype.canActivate.call(this, context);
      }

      it.each<[string, Type]>([
        ['and await that of the class', AwaitingGuard],
        ['and chain a promise to that of the class', ChainingGuard],
        ['in a field', FieldGuard],
      ])('%s', async (_title, useClass) => {
        const app = await withGuard(useClass);
        expect(await statuses(app, '/plain', 3, { 'X-Team': 'free' })).toEqual(granted(3));
        expect(await statuses(app, '/plain', 3)).toEqual([200, 429, 429]);
      });
    });

    it('is a ThrottlerGuard', async () => {
      const app = await startWith('1/minute');
      expect(app.app.get(RateLimitGuard)).toBeInstanceOf(ThrottlerGuard);
    });
  });

  it('throws what a filter for ThrottlerException catches', async () => {
    @Catch(ThrottlerException)
    class ThrottlerFilter implements ExceptionFilter {
      constructor(private readonly host: HttpAdapterHost) {}

      catch(exception: ThrottlerException, host: ArgumentsHost): void {
        this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { mine: exception.getStatus() }, 429);
      }
    }
    const app = await startWith('1/minute', [HandlersController], {
      providers: [{ provide: APP_FILTER, useClass: ThrottlerFilter }],
    });
    await statuses(app, '/plain', 1);
    const rejected = await app.send('/plain');
    expect(rejected.json()).toEqual({ mine: 429 });
    expect(rejected.header('Retry-After')).toBe('60');
  });

  describe("beside the app's own ThrottlerModule", () => {
    @UseGuards(ThrottlerGuard)
    @Controller('reports')
    class ReportsController {
      @Get()
      reports(): string {
        return 'reports';
      }
    }

    it('its guard on a controller keeps its own limits, and no header comes twice', async () => {
      const app = await startWith('9/minute', [ReportsController, HandlersController], {
        imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 2 }])],
      });
      const first = await app.send('/reports');
      expect(first.status).toBe(200);
      expect(first.repeated).toEqual([]);
      expect(await statuses(app, '/reports', 2)).toEqual([200, 429]);
      const rejected = await app.send('/reports');
      expect(rejected.repeated).toEqual([]);
      expect(rejected.header('Content-Type')).toBe('application/problem+json');
      expect(rejected.json()).toMatchObject({ status: 429, code: 'rate_limited' });
      expect(await statuses(app, '/plain', 3)).toEqual(granted(3));
    });

    it('over these counts, a limit that is a function and returns 0 answers 429 to everybody', async () => {
      const throttlers = [{ ttl: 60_000, limit: () => 0, blockDuration: 90_000 }];
      const app = await startWith('9/minute', [ReportsController], {
        imports: [ThrottlerModule.forRoot({ throttlers, storage: new QuotaThrottlerStorage() })],
      });
      expect(await statuses(app, '/reports', 3)).toEqual([429, 429, 429]);
      expect((await app.send('/reports')).header('Retry-After')).toBe('90');
    });

    it('its guard as APP_GUARD, and the tighter of the two limits', async () => {
      const app = await startWith('3/minute', [HandlersController], {
        imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 5 }])],
        providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
      });
      expect(await statuses(app, '/plain', 4)).toEqual([...granted(3), 429]);
    });
  });

  it('@RateLimit() and @SkipThrottle() meet: the unnamed limit is skipped, the named one stays', async () => {
    @Controller()
    class MixedController {
      @SkipThrottle()
      @RateLimit('1/minute')
      @Get('unnamed')
      unnamed(): string {
        return 'unnamed';
      }

      @SkipThrottle()
      @RateLimit({ limit: '1/minute', name: 'own' })
      @Get('named')
      named(): string {
        return 'named';
      }
    }
    const app = await startWith('1/hour', [MixedController]);
    expect(await statuses(app, '/unnamed', 3)).toEqual(granted(3));
    expect(await statuses(app, '/named', 2)).toEqual([200, 429]);
  });
});
