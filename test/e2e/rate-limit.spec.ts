import { Controller, Get, HttpCode, type INestApplication, Post, type Type } from '@nestjs/common';
import { type BareItem, type Item, parseList } from 'structured-headers';
import {
  type AgentSecurityOptions,
  RateLimit,
  type RateLimitInput,
  type RateLimitOptions,
  SkipRateLimit,
} from '../../src/index.js';
import { type Answer, exchange } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

const QUOTA_FIELDS = [
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'RateLimit-Policy',
  'RateLimit',
];

@Controller()
class PlainController {
  @Get('a')
  a(): string {
    return 'a';
  }

  @Get('b')
  b(): string {
    return 'b';
  }

  @Post('body')
  @HttpCode(200)
  body(): string {
    return 'body';
  }
}

/** The statuses of some requests, one after the other. */
async function statuses(app: RunningApp, path: string, times: number): Promise<number[]> {
  const list: number[] = [];
  for (let turn = 0; turn < times; turn++) list.push((await app.send(path)).status);
  return list;
}

const granted = (times: number): number[] => Array<number>(times).fill(200);
const fields = (answer: Answer): (string | undefined)[] => QUOTA_FIELDS.map(name => answer.header(name));

/** A list of strings with whole-number parameters (RFC 9651), as `[[name, { q: 10, w: 1 }]]`. */
function parseQuotaField(text: string | undefined): [BareItem, Record<string, BareItem>][] {
  return (parseList(text!) as Item[]).map(([name, parameters]) => [name, Object.fromEntries(parameters)]);
}

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  const startWith = (
    rateLimit?: false | RateLimitOptions,
    controllers: Type[] = [PlainController],
    options: AgentSecurityOptions = {},
    configure?: (app: INestApplication) => void,
  ): Promise<RunningApp> =>
    start(platform, {
      controllers,
      options: rateLimit === undefined ? options : { ...options, rateLimit },
      ...(configure && { configure }),
    });

  describe('by default', () => {
    it('grants ten a second, over all routes together', async () => {
      const app = await startWith();
      expect(await statuses(app, '/a', 5)).toEqual(granted(5));
      expect(await statuses(app, '/b', 5)).toEqual(granted(5));
      expect(await statuses(app, '/a', 1)).toEqual([429]);
      expect(await statuses(app, '/b', 1)).toEqual([429]);
    });

    it('grants a hundred a minute', async () => {
      const app = await startWith();
      for (let second = 0; second < 10; second++) {
        expect(await statuses(app, '/a', 10)).toEqual(granted(10));
        app.clock.advance(1_000);
      }
      const rejected = await app.send('/a');
      expect(rejected.status).toBe(429);
      expect(rejected.json()['violated-policies']).toEqual(['100-per-minute']);
      expect(rejected.header('X-RateLimit-Limit')).toBe('100');
      expect(rejected.header('Retry-After')).toBe('50');
      // The limit of the second was not charged for what the minute denied.
      expect(rejected.header('RateLimit')).toBe('"10-per-second";r=10;t=0, "100-per-minute";r=0;t=50');
    });

    it('takes nothing from the minute for what the second denies', async () => {
      const app = await startWith();
      await statuses(app, '/a', 10);
      expect(await statuses(app, '/a', 5)).toEqual(Array(5).fill(429));
      app.clock.advance(1_000);
      const answer = await app.send('/a');
      expect(answer.header('RateLimit')).toBe('"10-per-second";r=9;t=1, "100-per-minute";r=89;t=59');
    });

    it('sends the state of every limit, and the tightest in X-RateLimit-*', async () => {
      const app = await startWith();
      const answer = await app.send('/a');
      expect(fields(answer)).toEqual([
        '10',
        '9',
        String(Date.UTC(2030, 0, 1) / 1000 + 1),
        '"10-per-second";q=10;w=1, "100-per-minute";q=100;w=60',
        '"10-per-second";r=9;t=1, "100-per-minute";r=99;t=60',
      ]);
      expect(answer.header('Retry-After')).toBeUndefined();
    });

    it('answers 429 with the problem of the contract', async () => {
      const app = await startWith();
      await statuses(app, '/a', 10);
      const answer = await app.send('/a');
      expect(answer.status).toBe(429);
      expect(answer.header('Content-Type')).toBe('application/problem+json');
      expect(answer.json()).toEqual({
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        title: 'Too Many Requests',
        status: 429,
        detail: 'Limit: 10 requests per 1 second',
        code: 'rate_limited',
        requestId: answer.header('X-Request-ID'),
        retryable: true,
        retry_after_seconds: 1,
        'violated-policies': ['10-per-second'],
      });
      expect(answer.header('Retry-After')).toBe('1');
      expect(fields(answer)).toEqual([
        '10',
        '0',
        String(Date.UTC(2030, 0, 1) / 1000 + 1),
        '"10-per-second";q=10;w=1, "100-per-minute";q=100;w=60',
        '"10-per-second";r=0;t=1, "100-per-minute";r=90;t=60',
      ]);
      expect(answer.repeated).toEqual([]);
    });

    it('sends structured fields (RFC 9651)', async () => {
      const app = await startWith();
      const answer = await app.send('/a');
      expect(parseQuotaField(answer.header('RateLimit-Policy'))).toEqual([
        ['10-per-second', { q: 10, w: 1 }],
        ['100-per-minute', { q: 100, w: 60 }],
      ]);
      expect(parseQuotaField(answer.header('RateLimit'))).toEqual([
        ['10-per-second', { r: 9, t: 1 }],
        ['100-per-minute', { r: 99, t: 60 }],
      ]);
    });

    it('grants again after a second, and not a millisecond earlier', async () => {
      const app = await startWith();
      await statuses(app, '/a', 10);
      app.clock.advance(999);
      const early = await app.send('/a');
      expect([early.status, early.header('Retry-After')]).toEqual([429, '1']);
      app.clock.advance(1);
      expect(await statuses(app, '/a', 1)).toEqual([200]);
    });

    it('counts a path without a route, and answers it with 429', async () => {
      const app = await startWith();
      for (let turn = 0; turn < 10; turn++) {
        const answer = await app.send(`/none/${turn}`);
        expect([answer.status, answer.header('X-RateLimit-Remaining')]).toEqual([404, String(9 - turn)]);
      }
      const rejected = await app.send('/none');
      expect([rejected.status, rejected.header('Retry-After')]).toEqual([429, '1']);
      expect(rejected.json()).toMatchObject({
        code: 'rate_limited',
        requestId: rejected.header('X-Request-ID'),
      });
      expect(await statuses(app, '/a', 1)).toEqual([429]);
    });
  });

  const WAITS: readonly (readonly [title: string, limit: RateLimitInput, wait: string])[] = [
    ['3/second', '3/second', '1'],
    ['3 per 2 seconds', '3 per 2 seconds', '2'],
    ['5/minute', '5/minute', '60'],
    ['7/hour', '7/hour', '3600'],
    ['a window beyond 2^31 milliseconds', { limit: '1/31 days', algorithm: 'token-bucket' }, '2678400'],
    ['40/minute, beyond the exact log', '40/minute', '60'],
    ['a fixed window', { limit: '3/minute', algorithm: 'fixed-window' }, '60'],
    ['a token bucket', { limit: '2/minute', algorithm: 'token-bucket' }, '30'],
    [
      'a token bucket that fills faster than a second',
      { limit: '20/second', algorithm: 'token-bucket' },
      '1',
    ],
    ['a token bucket with a burst', { limit: '60/minute', algorithm: 'token-bucket', burst: 3 }, '1'],
    ['two limits', '2/second, 3/minute', '1'],
  ];
  it.each(WAITS)('a client that waits for Retry-After is granted: %s', async (_row, limit, wait) => {
    const app = await startWith({ limits: limit });
    let answer = await app.send('/a');
    for (let turn = 0; answer.status === 200 && turn < 50; turn++) answer = await app.send('/a');
    expect([answer.status, answer.header('Retry-After')]).toEqual([429, wait]);
    app.clock.advance(Number(wait) * 1000);
    expect(await statuses(app, '/a', 1)).toEqual([200]);
  });

  it('a window of days ends with the precision of its clock, a 32 767th of it', async () => {
    const app = await startWith({ limits: '2/day' });
    await statuses(app, '/a', 2);
    const wait = Number((await app.send('/a')).header('Retry-After'));
    expect(wait).toBeLessThanOrEqual(86_400);
    expect(wait).toBeGreaterThanOrEqual(86_400 - Math.ceil(86_400 / 32_767));
    app.clock.advance((wait - 1) * 1000);
    expect(await statuses(app, '/a', 1)).toEqual([429]);
    app.clock.advance(1000);
    expect(await statuses(app, '/a', 1)).toEqual([200]);
  });

  it('Retry-After is a whole number from 1 to the window, wherever in the window', async () => {
    const app = await startWith({ limits: '2/10 seconds' });
    await statuses(app, '/a', 2);
    for (const [elapsedMs, expected] of [
      [1, '10'],
      [998, '10'],
      [2, '9'],
      [8_998, '1'],
    ] as const) {
      app.clock.advance(elapsedMs);
      const answer = await app.send('/a');
      expect([answer.status, answer.header('Retry-After')]).toEqual([429, expected]);
    }
  });

  describe('@RateLimit()', () => {
    @Controller('class')
    @RateLimit('3/minute')
    class ClassController {
      @Get('one')
      one(): string {
        return 'one';
      }

      @Get('two')
      two(): string {
        return 'two';
      }

      @RateLimit('1/minute')
      @Get('own')
      own(): string {
        return 'own';
      }

      @SkipRateLimit()
      @Get('skipped')
      skipped(): string {
        return 'skipped';
      }
    }

    @Controller('other')
    @RateLimit('3/minute')
    class OtherController {
      @Get()
      get(): string {
        return 'other';
      }
    }

    it('on a class is one quota over its handlers, in place of the module limits', async () => {
      const app = await startWith({ limits: '1/hour' }, [ClassController, OtherController, PlainController]);
      expect(await statuses(app, '/class/one', 2)).toEqual(granted(2));
      expect(await statuses(app, '/class/two', 2)).toEqual([200, 429]);
      expect(await statuses(app, '/class/one', 1)).toEqual([429]);
      // Neither another class nor the module's own quota was touched.
      expect(await statuses(app, '/other', 4)).toEqual([...granted(3), 429]);
      expect(await statuses(app, '/a', 2)).toEqual([200, 429]);
    });

    it('on a handler wins over its class and counts for itself', async () => {
      const app = await startWith({ limits: '1/hour' }, [ClassController]);
      expect(await statuses(app, '/class/own', 2)).toEqual([200, 429]);
      expect(await statuses(app, '/class/one', 4)).toEqual([...granted(3), 429]);
    });

    it('@SkipRateLimit() on a handler wins over its class and the module', async () => {
      const app = await startWith({ limits: '1/hour' }, [ClassController]);
      for (let turn = 0; turn < 5; turn++) {
        const answer = await app.send('/class/skipped');
        expect([answer.status, ...fields(answer)]).toEqual([200, ...Array(5).fill(undefined)]);
      }
      expect(await statuses(app, '/class/one', 4)).toEqual([...granted(3), 429]);
    });

    it('on a handler wins over @SkipRateLimit() on its class', async () => {
      @Controller()
      @SkipRateLimit()
      class SkippedController {
        @Get('free')
        free(): string {
          return 'free';
        }

        @RateLimit('1/minute')
        @Get('limited')
        limited(): string {
          return 'limited';
        }
      }
      const app = await startWith({ limits: '1/hour' }, [SkippedController]);
      expect(await statuses(app, '/free', 4)).toEqual(granted(4));
      expect(await statuses(app, '/limited', 2)).toEqual([200, 429]);
    });

    it('takes several limits', async () => {
      @Controller()
      class SeveralController {
        @RateLimit('2/second', '3/minute')
        @Get('several')
        several(): string {
          return 'several';
        }
      }
      const app = await startWith(undefined, [SeveralController]);
      expect(await statuses(app, '/several', 3)).toEqual([200, 200, 429]);
      app.clock.advance(1_000);
      expect(await statuses(app, '/several', 1)).toEqual([200]);
      const rejected = await app.send('/several');
      expect(rejected.json()['violated-policies']).toEqual(['3-per-minute']);
      expect(rejected.header('Retry-After')).toBe('59');
    });

    const calls: unknown[] = [];
    type Headers = { headers: Record<string, string | undefined>; url: string };

    @Controller()
    class ObjectController {
      @RateLimit({ limit: '5/minute', name: 'search' })
      @Get('named')
      named(): string {
        return 'named';
      }

      @RateLimit({ limit: '1/minute', key: request => (request as Headers).headers['x-team'] })
      @Get('keyed')
      keyed(): string {
        return 'keyed';
      }

      @RateLimit({
        limit: '1/minute',
        key: async (request, context) => {
          calls.push(context.getHandler().name);
          return (request as Headers).headers['x-team'];
        },
      })
      @Get('keyed-later')
      keyedLater(): string {
        return 'keyed';
      }

      @RateLimit({ limit: '1/minute', key: 'global' })
      @Get('global')
      global(): string {
        return 'global';
      }

      @RateLimit({ limit: '10/minute', cost: 4 })
      @Get('costly')
      costly(): string {
        return 'costly';
      }

      @RateLimit({
        limit: '10/minute',
        cost: async request => Number(new URL((request as Headers).url, 'http://x').searchParams.get('cost')),
      })
      @Get('priced')
      priced(): string {
        calls.push('priced');
        return 'priced';
      }

      @RateLimit({ limit: '2/minute', algorithm: 'fixed-window' })
      @Get('fixed')
      fixed(): string {
        return 'fixed';
      }

      @RateLimit({ limit: '2/minute' })
      @Get('sliding')
      sliding(): string {
        return 'sliding';
      }

      @RateLimit({ limit: '60/minute', algorithm: 'token-bucket', burst: 3 })
      @Get('bucket')
      bucket(): string {
        return 'bucket';
      }
    }

    it('names a policy for clients', async () => {
      const app = await startWith(undefined, [ObjectController]);
      const answer = await app.send('/named');
      expect(answer.header('RateLimit-Policy')).toBe('"search";q=5;w=60');
      expect(answer.header('RateLimit')).toBe('"search";r=4;t=60');
      await statuses(app, '/named', 4);
      expect((await app.send('/named')).json()['violated-policies']).toEqual(['search']);
    });

    it.each([
      ['a key function', '/keyed'],
      ['an async key function', '/keyed-later'],
    ])('counts by %s', async (_row, path) => {
      const app = await startWith(undefined, [ObjectController]);
      const of = async (team: string): Promise<number> =>
        (await app.send(path, { headers: { 'X-Team': team } })).status;
      expect([await of('red'), await of('red'), await of('blue')]).toEqual([200, 429, 200]);
      // Without a key, it is the address's own.
      expect(await statuses(app, path, 2)).toEqual([200, 429]);
    });

    it('hands the context to a key function', async () => {
      const app = await startWith(undefined, [ObjectController]);
      calls.length = 0;
      await app.send('/keyed-later');
      expect(calls).toEqual(['keyedLater']);
    });

    it("counts all clients together under the key 'global'", async () => {
      const app = await startWith(undefined, [ObjectController], { trustProxy: 'loopback' });
      const from = async (address: string): Promise<number> =>
        (await app.send('/global', { headers: { 'X-Forwarded-For': address } })).status;
      expect([await from('203.0.113.1'), await from('203.0.113.2')]).toEqual([200, 429]);
    });

    it('takes a cost', async () => {
      const app = await startWith(undefined, [ObjectController]);
      expect((await app.send('/costly')).header('X-RateLimit-Remaining')).toBe('6');
      expect(await statuses(app, '/costly', 2)).toEqual([200, 429]);
    });

    it('takes a cost from a function, 0 included', async () => {
      const app = await startWith(undefined, [ObjectController]);
      const price = async (cost: string): Promise<unknown[]> => {
        const answer = await app.send(`/priced?cost=${cost}`);
        return [answer.status, answer.header('X-RateLimit-Remaining')];
      };
      expect(await price('7')).toEqual([200, '3']);
      expect(await price('4')).toEqual([429, '3']);
      expect(await price('3')).toEqual([200, '0']);
      expect(await price('0')).toEqual([200, '0']);
    });

    it('says that a cost beyond the whole limit is not worth a retry', async () => {
      const app = await startWith(undefined, [ObjectController]);
      const answer = await app.send('/priced?cost=11');
      expect(answer.status).toBe(429);
      expect(answer.json()).toMatchObject({ retryable: false });
    });

    it.each(['NaN', '-1', '1.5', 'Infinity'])('does not run the handler for the cost %s', async cost => {
      const app = await startWith(undefined, [ObjectController]);
      calls.length = 0;
      expect((await app.send(`/priced?cost=${cost}`)).status).toBe(500);
      expect(calls).toEqual([]);
    });

    it.each([
      ['a fixed window starts afresh', '/fixed', granted(2)],
      ['a sliding window remembers', '/sliding', [200, 429]],
    ])('%s at its border', async (_row, path, expected) => {
      const app = await startWith(undefined, [ObjectController]);
      expect(await statuses(app, path, 1)).toEqual([200]);
      app.clock.advance(59_000);
      expect(await statuses(app, path, 2)).toEqual([200, 429]);
      app.clock.advance(1_000);
      expect(await statuses(app, path, 2)).toEqual(expected);
    });

    it('a token bucket grants its burst and refills evenly', async () => {
      const app = await startWith(undefined, [ObjectController]);
      expect(await statuses(app, '/bucket', 4)).toEqual([...granted(3), 429]);
      app.clock.advance(999);
      expect(await statuses(app, '/bucket', 1)).toEqual([429]);
      app.clock.advance(1);
      expect(await statuses(app, '/bucket', 2)).toEqual([200, 429]);
      app.clock.advance(3_600_000);
      expect(await statuses(app, '/bucket', 4)).toEqual([...granted(3), 429]);
    });

    it('counts inherited handlers for each controller by itself', async () => {
      class BaseController {
        @Get('list')
        list(): string {
          return 'list';
        }

        @RateLimit('1/minute')
        @Get('own')
        own(): string {
          return 'own';
        }
      }
      @Controller('cats')
      @RateLimit('2/minute')
      class CatsController extends BaseController {}
      @Controller('dogs')
      @RateLimit('3/minute')
      class DogsController extends BaseController {}
      @Controller('birds')
      class BirdsController extends BaseController {}
      const app = await startWith({ limits: '4/minute' }, [CatsController, DogsController, BirdsController]);
      expect(await statuses(app, '/cats/list', 3)).toEqual([...granted(2), 429]);
      expect(await statuses(app, '/dogs/list', 4)).toEqual([...granted(3), 429]);
      expect(await statuses(app, '/birds/list', 5)).toEqual([...granted(4), 429]);
      expect(await statuses(app, '/cats/own', 2)).toEqual([200, 429]);
      expect(await statuses(app, '/dogs/own', 2)).toEqual([200, 429]);
    });
  });

  describe('options', () => {
    it('exemptPaths are exact', async () => {
      const app = await startWith({ limits: '1/minute', flood: '3/minute', exemptPaths: ['/a'] });
      expect(await statuses(app, '/a', 5)).toEqual(granted(5));
      expect(await statuses(app, '/a?query', 2)).toEqual(granted(2));
      expect(fields(await app.send('/a'))).toEqual(Array(5).fill(undefined));
      // The same route under another spelling is not exempt, on a router that takes it; nor is a path below.
      expect((await app.send('/a/')).header('X-RateLimit-Remaining')).toBe('0');
      expect(await statuses(app, '/a/b', 2)).toEqual([429, 429]);
      expect((await app.send('/b')).json()['violated-policies']).toEqual(['flood']);
    });

    it('shadow evaluates, counts and reports without denying', async () => {
      const app = await startWith({ limits: '2/minute', shadow: true });
      const answers: Answer[] = [];
      for (let turn = 0; turn < 5; turn++) answers.push(await app.send('/a'));
      expect(answers.map(({ status }) => status)).toEqual(granted(5));
      expect(answers.flatMap(fields)).toEqual(Array(25).fill(undefined));
      expect(answers.map(answer => answer.header('Retry-After'))).toEqual(Array(5).fill(undefined));
      expect((await app.send('/none')).status).toBe(404);
      expect(app.logger.find('Shadow mode:', 'warn')).toHaveLength(1);
      app.clock.advance(60_000);
      await statuses(app, '/a', 3);
      expect(app.logger.find('Shadow mode:', 'warn')).toHaveLength(2);
    });

    it('headers: false sends Retry-After only', async () => {
      const app = await startWith({ limits: '1/minute', headers: false });
      expect(fields(await app.send('/a'))).toEqual(Array(5).fill(undefined));
      const rejected = await app.send('/a');
      expect([rejected.status, rejected.header('Retry-After')]).toEqual([429, '60']);
      expect(fields(rejected)).toEqual(Array(5).fill(undefined));
    });

    it('rateLimit: false limits nothing', async () => {
      const app = await startWith(false);
      expect(await statuses(app, '/a', 150)).toEqual(granted(150));
      expect(fields(await app.send('/a'))).toEqual(Array(5).fill(undefined));
    });

    it('limits: false leaves the flood limit', async () => {
      const app = await startWith({ limits: false, flood: '5/second' });
      expect(await statuses(app, '/a', 6)).toEqual([...granted(5), 429]);
      app.clock.advance(1_000);
      expect(await statuses(app, '/a', 1)).toEqual([200]);
    });

    it('flood: false leaves the limits', async () => {
      const app = await startWith({ limits: '200/second', flood: false });
      expect(await statuses(app, '/a', 120)).toEqual(granted(120));
    });
  });

  describe('flood', () => {
    const FLOOD: RateLimitOptions = { limits: false, flood: '3/minute' };

    it('is a hundred a second by default', async () => {
      const app = await startWith({ limits: false });
      expect(await statuses(app, '/a', 101)).toEqual([...granted(100), 429]);
    });

    it('answers like every other limit', async () => {
      const app = await startWith(FLOOD);
      await statuses(app, '/a', 3);
      const answer = await app.send('/a');
      expect(answer.json()).toEqual({
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        title: 'Too Many Requests',
        status: 429,
        detail: 'Limit: 3 requests per 1 minute',
        code: 'rate_limited',
        requestId: answer.header('X-Request-ID'),
        retryable: true,
        retry_after_seconds: 60,
        'violated-policies': ['flood'],
      });
      expect(answer.header('Retry-After')).toBe('60');
      expect(answer.header('RateLimit')).toBe('"flood";r=0;t=60');
      expect(answer.header('Cache-Control')).toBe('no-store');
      expect(answer.repeated).toEqual([]);
    });

    const COUNTED: readonly (readonly [title: string, path: string, status: number])[] = [
      ['paths that no route answers', '/none', 404],
      ['routes that another library mounted', '/raw', 200],
      ['skipped routes', '/skipped', 200],
    ];
    it.each(COUNTED)('counts %s', async (_row, path, status) => {
      @Controller()
      @SkipRateLimit()
      class SkippedController {
        @Get('skipped')
        skipped(): string {
          return 'skipped';
        }
      }
      const app = await startWith(FLOOD, [SkippedController], {}, nest => {
        nest.getHttpAdapter().get('/raw', (_request: unknown, response: { send(body: string): void }) => {
          response.send('raw');
        });
      });
      expect(await statuses(app, path, 4)).toEqual([...Array<number>(3).fill(status), 429]);
    });

    it('answers before a body is read', async () => {
      const app = await startWith(FLOOD);
      await statuses(app, '/a', 3);
      // Of the announced megabyte nothing is ever sent: an app that waits for it never answers.
      const { answers } = await exchange(
        app.port,
        `POST /body HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`,
        1,
      );
      expect(answers.map(({ status }) => status)).toEqual([429]);
    });
  });
});
