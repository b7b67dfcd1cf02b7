/* Requests that end before the guard of the limits (no route, no credential, a malformed body) are counted, whatever filters the app has. */
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  HttpException,
  type INestApplication,
  Post,
} from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { type AgentSecurityOptions, Public, type RateLimitOptions, SkipRateLimit } from '../../src/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

@Controller()
class PlainController {
  @Public()
  @Get('open')
  open(): object {
    return {};
  }

  @Get('guarded')
  guarded(): object {
    return {};
  }

  @Public()
  @Post('body')
  body(): object {
    return {};
  }

  @Public()
  @Get('fails')
  fails(): never {
    throw new HttpException('shown', 409);
  }

  @Public()
  @SkipRateLimit()
  @Get('skipped')
  skipped(): never {
    throw new HttpException('shown', 409);
  }
}

/** As an error reporter's: it reports, and leaves the answer to Nest. */
@Catch()
class ReportingFilter extends BaseExceptionFilter {}

/** As of an app that answers everything with 200 and says in the body how it went. */
@Catch()
class EnvelopeFilter implements ExceptionFilter {
  constructor(private readonly adapters: HttpAdapterHost) {}

  catch(_error: unknown, host: ArgumentsHost): void {
    this.adapters.httpAdapter.reply(host.switchToHttp().getResponse(), { ok: false }, 200);
  }
}

const withFilter =
  (filter: (app: INestApplication) => ExceptionFilter): AppParts['configure'] =>
  app =>
    void app.useGlobalFilters(filter(app));

type Filtering = readonly [
  title: string,
  errors: AgentSecurityOptions['errors'],
  configure: AppParts['configure'],
];
const FILTERS: readonly Filtering[] = [
  ['its own filter', undefined, undefined],
  ['errors: false', false, undefined],
  ["an app's filter over Nest's", undefined, withFilter(app => new ReportingFilter(app.getHttpAdapter()))],
  ['a filter that answers 200', undefined, withFilter(app => new EnvelopeFilter(app.get(HttpAdapterHost)))],
];

const LIMIT = 3;

async function launch(
  platform: Platform,
  errors: AgentSecurityOptions['errors'],
  configure: AppParts['configure'],
  rateLimit: RateLimitOptions = {},
): Promise<RunningApp> {
  const book = new TestKeys();
  return start(platform, {
    controllers: [PlainController],
    ...(configure === undefined ? {} : { configure }),
    options: {
      rateLimit: { limits: `${LIMIT}/minute`, flood: false, ...rateLimit },
      auth: { apiKeys: { store: book.store, secret: SECRET }, failedAttempts: false },
      ...(errors === undefined ? {} : { errors }),
    } as AgentSecurityOptions,
  });
}

const json = (body: string) => ({ method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
type Ending = readonly [title: string, send: (app: RunningApp, turn: number) => Promise<unknown>];
const ENDINGS: readonly Ending[] = [
  ['a path that no route answers', (app, turn) => app.send(`/none/${turn}`)],
  ['a missing credential', app => app.send('/guarded')],
  ['a malformed body', app => app.send('/body', json('{'))],
];

describe.each(PLATFORMS)('on %s', (_platform, platform) => {
  describe.each(FILTERS)('with %s', (_filter, errors, configure) => {
    it.each(ENDINGS)('%s counts against the limits of the module', async (_title, send) => {
      const app = await launch(platform, errors, configure);
      for (let turn = 0; turn < LIMIT - 1; turn++) await send(app, turn);
      expect((await app.send('/open')).header('X-RateLimit-Remaining')).toBe('0');
      const rejected = await app.send('/open');
      expect(rejected.header('Retry-After')).toBe('60');
      app.clock.advance(60_000);
      expect((await app.send('/open')).header('X-RateLimit-Remaining')).toBe(String(LIMIT - 1));
    });

    it('tells how the limit stands on a 404', async () => {
      const app = await launch(platform, errors, configure);
      expect((await app.send('/none')).header('X-RateLimit-Remaining')).toBe('2');
    });

    it('rejects the next request to a path that is over the limit', async () => {
      const app = await launch(platform, errors, configure);
      for (let turn = 0; turn < LIMIT + 1; turn++) await app.send('/none');
      const rejected = await app.send('/none');
      expect([rejected.status, rejected.header('Retry-After')]).toEqual([429, '60']);
    });

    it('rejects a guarded path once it is over the limit without a credential', async () => {
      const app = await launch(platform, errors, configure);
      for (let turn = 0; turn < LIMIT + 1; turn++) await app.send('/guarded');
      const rejected = await app.send('/guarded');
      expect([rejected.status, rejected.header('Retry-After')]).toEqual([429, '60']);
    });

    it('counts nothing twice', async () => {
      const app = await launch(platform, errors, configure, { limits: '10/minute' });
      await app.send('/fails');
      await app.send('/none');
      await app.send('/guarded');
      await app.send('/skipped');
      expect((await app.send('/open')).header('X-RateLimit-Remaining')).toBe('6');
    });
  });

  it('counts what another library rejects on a route of its own, and leaves its next request alone', async () => {
    const app = await launch(platform, false, nest => {
      nest.getHttpAdapter().get(
        '/raw',
        (
          _request: unknown,
          response: {
            status?(code: number): unknown;
            code?(code: number): unknown;
            send(body: string): void;
          },
        ) => {
          (response.code ?? response.status)!.call(response, 403);
          response.send('raw');
        },
      );
    });
    for (let turn = 0; turn < LIMIT + 2; turn++) expect((await app.send('/raw')).status).toBe(403);
    expect((await app.send('/open')).status).toBe(429);
  });

  it('counts in a shared store too', async () => {
    const counted: string[] = [];
    const store = {
      async increment(key: string) {
        counted.push(key);
        return { totalHits: 1, timeToExpire: 60, isBlocked: false, timeToBlockExpire: 0 };
      },
    };
    const app = await launch(platform, false, undefined, { store });
    await app.send('/none');
    await app.send('/guarded');
    await app.send('/open');
    expect(counted).toHaveLength(3);
    expect(new Set(counted).size).toBe(1);
  });
});
