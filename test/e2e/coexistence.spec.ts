/* Beside what an app does itself: its own headers, hooks, CORS, guards and filters, its configuration, its tests. */
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Header,
  Injectable,
  Module,
  type OnModuleInit,
  Post,
  Res,
  UseFilters,
  VersioningType,
} from '@nestjs/common';
import fastifyCors from '@fastify/cors';
import cors from 'cors';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { APP_FILTER, APP_GUARD, BaseExceptionFilter, HttpAdapterHost, NestFactory } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import {
  AgentSecurityModule,
  type AgentSecurityOptions,
  type AgentSecurityOptionsFactory,
  HostGuard,
  ProblemDetailsFilter,
  RateLimitGuard,
  RateLimiter,
} from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { CapturingLogger } from '../support/logger.js';
import { sinceNest } from '../support/nest-version.js';
import { PLATFORMS, PLATFORMS_AND_MODES } from '../support/platforms.js';
import { start } from '../support/start.js';

const APP = 'https://app.example.com';
const EVIL = 'https://evil.example';

let events: string[] = [];
beforeEach(() => {
  events = [];
});

@Controller()
class Routes {
  @Get()
  root(): object {
    events.push('handler');
    return {};
  }

  @Post()
  change(): object {
    events.push('handler');
    return {};
  }

  @Get('conflict')
  conflict(): never {
    throw new ConflictException('taken');
  }
}

@Catch(ConflictException)
class OwnFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(_exception: ConflictException, host: ArgumentsHost): void {
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { mine: true }, 418);
  }
}

@Catch(ConflictException)
class PlainFilter implements ExceptionFilter {
  catch(_exception: ConflictException, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse();
    response.status(418).send({ mine: true });
  }
}

/** As an error reporter's: it adds something, and leaves the response to the module. */
class ReportingFilter extends ProblemDetailsFilter {
  override catch(exception: unknown, host: ArgumentsHost): unknown {
    events.push(`reported ${(exception as Error).message}`);
    // oxlint-disable-next-line promise/valid-params -- an exception filter's catch(), not a promise's
    return super.catch(exception, host);
  }
}

/** As an error reporter's that answers by itself. */
@Catch()
class NestsFilter extends BaseExceptionFilter {}

@Controller('filtered')
class FilteredRoutes {
  @Get()
  @UseFilters(new PlainFilter())
  conflict(): never {
    throw new ConflictException('taken');
  }
}

@Injectable()
class MountsFailure implements OnModuleInit {
  constructor(private readonly host: HttpAdapterHost) {}

  onModuleInit(): void {
    this.host.httpAdapter.getInstance().get('/mounted', () => {
      throw new Error('a secret of the library');
    });
  }
}

@Injectable()
class OwnGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    events.push('own guard');
    void context;
    return true;
  }
}

function expectWhole(answer: Answer): void {
  expect(answer.repeated).toEqual([]);
  for (const name of [
    'x-request-id',
    'content-security-policy',
    'x-frame-options',
    'cache-control',
    'vary',
  ]) {
    expect([name, answer.all(name).length]).toEqual([name, 1]);
  }
}

const PATHS = ['/', '/conflict', '/nowhere', '/%'];

@Controller('own-cors')
class OwnCors {
  @Get('set')
  @Header('Access-Control-Allow-Origin', '*')
  set(): object {
    return {};
  }

  @Get('written')
  written(@Res() response: any): void {
    response.hijack?.();
    const raw = response.raw ?? response;
    raw.writeHead(200, { 'access-control-allow-origin': '*', 'Access-Control-Allow-Methods': '*' });
    raw.end();
  }
}

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  sinceNest([12, 1], 'useSecurityHeaders() and enableCsrfProtection() came with Nest 12.1')(
    "Nest's own security",
    () => {
      it.each(PATHS)('useSecurityHeaders: %s has each header once, and the app chooses', async path => {
        const app = await start(platform, {
          controllers: [Routes],
          configure: nest =>
            void (nest as any).useSecurityHeaders({ xFrameOptions: { action: 'sameorigin' } }),
        });
        const answer = await app.send(path);
        expectWhole(answer);
        // A path that Fastify cannot route is answered before the app's own headers.
        const reached = path !== '/%';
        expect(answer.header('x-frame-options')).toBe(reached ? 'SAMEORIGIN' : 'DENY');
      });

      it('enableCsrfProtection: its rejection is a problem with every header once', async () => {
        const app = await start(platform, {
          controllers: [Routes],
          options: { cors: { origins: [APP] } },
          configure: nest => void (nest as any).enableCsrfProtection(),
        });
        // Nest's protection knows no CORS origins, so it rejects one that this module allows.
        const answer = await app.send('/', {
          method: 'POST',
          headers: { Origin: APP, 'Sec-Fetch-Site': 'cross-site' },
        });
        expect([answer.status, events]).toEqual([403, []]);
        expectWhole(answer);
        expect(answer.json()).toMatchObject({ status: 403, requestId: answer.header('x-request-id') });
        const own = await app.send('/', { method: 'POST', headers: { 'Sec-Fetch-Site': 'same-origin' } });
        expect(own.status).toBe(201);
      });
    },
  );

  describe("the app's own headers", () => {
    it.each(PATHS)('middleware that sets headers on the response: %s', async path => {
      const app = await start(platform, {
        controllers: [Routes],
        configure: nest =>
          void nest.use((_request: unknown, response: any, next: () => void) => {
            response.setHeader('X-Frame-Options', 'SAMEORIGIN');
            response.setHeader('Content-Security-Policy', "default-src 'self'");
            response.setHeader('X-Powered-By', 'something');
            next();
          }),
      });
      const answer = await app.send(path);
      expectWhole(answer);
      expect(answer.all('x-powered-by')).toEqual([]);
    });
  });

  describe('enableCors', () => {
    it.each<[string, (nest: any) => void, object]>([
      ['by the method', nest => nest.enableCors({ origin: true, credentials: true }), {}],
      ['by the option of create()', () => undefined, { cors: { origin: true, credentials: true } }],
    ])('%s: the module decides, and a warning names both places', async (_what, configure, nest) => {
      const app = await start(platform, {
        controllers: [Routes],
        options: { cors: { origins: [APP] } },
        configure,
        nest,
      });
      const warnings = app.logger.find('enableCors', 'warn');
      expect(warnings.length).toBe(1);
      expect(warnings[0]!.message).toContain('AgentSecurityModule');

      const evil = await app.send('/', { headers: { Origin: EVIL } });
      expect(evil.lines.filter(([name]) => /^access-control-allow/i.test(name))).toEqual([]);
      const evilPreflight = await app.send('/', {
        method: 'OPTIONS',
        headers: { Origin: EVIL, 'Access-Control-Request-Method': 'POST' },
      });
      expect(evilPreflight.status).toBe(403);
      const good = await app.send('/', { headers: { Origin: APP } });
      expect(good.all('access-control-allow-origin')).toEqual([APP]);
      expect(good.all('access-control-allow-credentials')).toEqual([]);
      const goodPreflight = await app.send('/', {
        method: 'OPTIONS',
        headers: { Origin: APP, 'Access-Control-Request-Method': 'POST' },
      });
      expect([goodPreflight.status, goodPreflight.all('access-control-allow-methods').length]).toEqual([
        204, 1,
      ]);
      for (const answer of [evil, evilPreflight, good, goodPreflight]) expectWhole(answer);
    });

    const plugin = async (nest: any): Promise<void> => {
      if (platform.name === 'Express') nest.use(cors());
      else await nest.register(fastifyCors, { origin: '*' });
    };
    it.each<[string, (nest: any) => unknown, object]>([
      ['enableCors()', nest => nest.enableCors(), {}],
      ['cors: true', () => undefined, { cors: true }],
      ['enableCors() that reflects', nest => nest.enableCors({ origin: true, credentials: true }), {}],
      ["the framework's own package", plugin, {}],
      [
        'a middleware',
        nest =>
          nest.use((_request: unknown, response: any, next: () => void) => {
            response.setHeader('Access-Control-Allow-Origin', '*');
            response.setHeader('Access-Control-Expose-Headers', '*');
            next();
          }),
        {},
      ],
      ['a handler', () => undefined, {}],
    ])('sends no CORS header of %s', async (what, configure, nest) => {
      const app = await start(platform, {
        controllers: [Routes, OwnCors],
        options: { cors: { origins: [APP] } },
        configure: configure as never,
        nest,
      });
      const preflight = { 'Access-Control-Request-Method': 'POST' };
      const paths = what === 'a handler' ? ['/own-cors/set', '/own-cors/written'] : ['/', '/unknown'];
      for (const path of paths) {
        for (const [method, headers] of [
          ['GET', { Origin: EVIL }],
          ['GET', { Origin: 'null' }],
          ['GET', {}],
          ['GET', { 'Sec-Fetch-Site': 'cross-site' }],
          ['POST', { Origin: EVIL }],
          ['OPTIONS', { Origin: EVIL }],
          ['OPTIONS', { Origin: EVIL, ...preflight }],
          ['OPTIONS', preflight],
        ] as [string, Record<string, string>][]) {
          const answer = await app.send(path, { method, headers });
          const sent = answer.lines.filter(([name]) => /^access-control/i.test(name));
          expect([method, headers, sent]).toEqual([method, headers, []]);
        }
        const good = await app.send(path, { headers: { Origin: APP } });
        expect(good.header('access-control-allow-origin')).toBe(APP);
      }
    });

    it('alone, with cors: false, works and gets no warning', async () => {
      const app = await start(platform, {
        controllers: [Routes],
        options: { cors: false },
        configure: nest => nest.enableCors({ origin: APP }),
      });
      const answer = await app.send('/', { headers: { Origin: APP } });
      expect(answer.header('access-control-allow-origin')).toBe(APP);
      expect(app.logger.find('enableCors', 'warn')).toEqual([]);
    });
  });

  describe('setOnRequestHook', () => {
    it("runs the app's hook after the module's, and not for rejected requests", async () => {
      const app = await start(platform, {
        controllers: [Routes],
        configure: nest =>
          (nest.getHttpAdapter() as any).setOnRequestHook(
            (request: any, _response: unknown, done: () => void) => {
              events.push(`hook ${String(request.id).slice(0, 3)}`);
              done();
            },
          ),
      });
      const served = await app.send('/', { headers: { 'X-Request-ID': 'abc' } });
      const rejected = await app.send('/', { headers: { Host: 'evil.example' } });
      expect([served.status, rejected.status, events]).toEqual([200, 421, ['hook abc', 'handler']]);
      expectWhole(served);
    });
  });

  it.each<[string, (nest: any) => void, string, string]>([
    ['a global prefix', nest => nest.setGlobalPrefix('api'), '/api', '/'],
    [
      'versions in the path',
      nest => nest.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
      '/v1',
      '/',
    ],
  ])('works with %s', async (_what, configure, path, unknown) => {
    const app = await start(platform, { controllers: [Routes], configure });
    const [served, missing] = [await app.send(path), await app.send(unknown)];
    expect([served.status, missing.status]).toEqual([200, 404]);
    expectWhole(served);
    expectWhole(missing);
    expect(served.header('x-ratelimit-remaining')).toBe('9');
    expect(missing.header('content-type')).toBe('application/problem+json');
  });

  describe('outside a global prefix', () => {
    it.each<[string, string, object, number]>([
      ['an unknown path', '/evil-marker', {}, 404],
      ['a malformed path', '/%', {}, 400],
      ['bad JSON', '/evil-marker', { body: '{"a":', headers: { 'Content-Type': 'application/json' } }, 400],
      ["another library's failure", '/mounted', {}, 500],
    ])('%s is a problem too', async (_what, path, request, status) => {
      const app = await start(platform, {
        controllers: [Routes],
        configure: nest => void nest.setGlobalPrefix('api'),
        providers: [MountsFailure],
      });
      const answer = await app.send(path, request);
      expect([answer.status, answer.header('content-type')]).toEqual([status, 'application/problem+json']);
      expect(answer.json()).toMatchObject({ status, requestId: answer.header('x-request-id') });
      expect(answer.body).not.toMatch(/evil-marker|secret/);
      expectWhole(answer);
    });

    it('an unknown path counts against the quota', async () => {
      const app = await start(platform, {
        controllers: [Routes],
        options: { rateLimit: { limits: '1/minute' } },
        configure: nest => void nest.setGlobalPrefix('api'),
      });
      expect([(await app.send('/one')).status, (await app.send('/two')).status]).toEqual([404, 429]);
    });
  });

  describe("the app's own filters win", () => {
    it.each<[string, object, string]>([
      [
        'useGlobalFilters',
        { configure: (nest: any) => nest.useGlobalFilters(new OwnFilter(nest.get(HttpAdapterHost))) },
        '/conflict',
      ],
      ['APP_FILTER', { providers: [{ provide: APP_FILTER, useClass: OwnFilter }] }, '/conflict'],
      ['@UseFilters', {}, '/filtered'],
    ])('%s', async (_what, parts, path) => {
      const app = await start(platform, { controllers: [Routes, FilteredRoutes], ...parts });
      const own = await app.send(path);
      expect([own.status, own.json()]).toEqual([418, { mine: true }]);
      expectWhole(own);
      const other = await app.send('/nowhere');
      expect(other.header('content-type')).toBe('application/problem+json');
    });
  });

  it("a filter of the app extends the module's", async () => {
    const app = await start(platform, {
      controllers: [Routes],
      providers: [{ provide: APP_FILTER, useClass: ReportingFilter }],
    });
    const answer = await app.send('/conflict');
    expect([answer.status, answer.json().code, events]).toEqual([409, 'conflict', ['reported taken']]);
    expect(answer.header('content-type')).toBe('application/problem+json');
    expectWhole(answer);
  });

  it("a filter that extends Nest's BaseExceptionFilter sends the code and the wait of a rejection", async () => {
    const app = await start(platform, {
      controllers: [Routes],
      providers: [{ provide: APP_FILTER, useClass: NestsFilter }],
      options: { rateLimit: { limits: '1/minute' } },
    });
    await app.send('/');
    const answer = await app.send('/');
    expect([answer.status, answer.json()]).toEqual([
      429,
      expect.objectContaining({
        statusCode: 429,
        message: 'Limit: 1 request per 1 minute',
        code: 'rate_limited',
        retry_after_seconds: 60,
      }),
    ]);
  });

  it("limits before the app's own guards run", async () => {
    const app = await start(platform, {
      controllers: [Routes],
      providers: [{ provide: APP_GUARD, useClass: OwnGuard }],
      options: { rateLimit: { limits: '1/minute' } },
    });
    const statuses = [(await app.send('/')).status, (await app.send('/')).status];
    expect([statuses, events]).toEqual([
      [200, 429],
      ['own guard', 'handler'],
    ]);
  });

  it('keeps the limits of two apps in one process apart', async () => {
    const options: AgentSecurityOptions = { rateLimit: { limits: '1/minute', flood: '3/minute' } };
    const one = await start(platform, { controllers: [Routes], options });
    const two = await start(platform, { controllers: [Routes], options });
    const statuses: number[] = [];
    for (const app of [one, two, one, two, one, one]) statuses.push((await app.send('/')).status);
    expect(statuses).toEqual([200, 200, 429, 429, 429, 429]);
    expect((await one.send('/')).json()['violated-policies']).toEqual(['flood']);
    expect((await two.send('/')).json()['violated-policies']).toEqual(['1-per-minute']);
  });
});

@Injectable()
class OptionsFromClass implements AgentSecurityOptionsFactory {
  createAgentSecurityOptions(): AgentSecurityOptions {
    return { hosts: ['class.example.com'] };
  }
}

@Module({ providers: [OptionsFromClass], exports: [OptionsFromClass] })
class OptionsModule {}

describe.each(PLATFORMS_AND_MODES)('forRootAsync on %s', (_title, platform) => {
  it.each<[string, () => ReturnType<typeof AgentSecurityModule.forRootAsync>, string]>([
    [
      'useFactory with ConfigService',
      () =>
        AgentSecurityModule.forRootAsync({
          imports: [ConfigModule.forRoot({ load: [() => ({ name: 'config.example.com' })] })],
          inject: [ConfigService],
          useFactory: async (config: ConfigService) => {
            await Promise.resolve();
            return { hosts: [config.getOrThrow<string>('name')] };
          },
        }),
      'config.example.com',
    ],
    ['useClass', () => AgentSecurityModule.forRootAsync({ useClass: OptionsFromClass }), 'class.example.com'],
    [
      'useExisting',
      () => AgentSecurityModule.forRootAsync({ imports: [OptionsModule], useExisting: OptionsFromClass }),
      'class.example.com',
    ],
  ])('%s', async (_what, security, host) => {
    const app = await start(platform, { controllers: [Routes], security: security() });
    const [good, other] = [
      await app.send('/', { headers: { Host: host } }),
      await app.send('/', { headers: { Host: 'localhost' } }),
    ];
    expect([good.status, other.status]).toEqual([200, 421]);
    expectWhole(good);
    expectWhole(other);
  });

  it('a factory that gives a bad option stops the start-up', async () => {
    const security = AgentSecurityModule.forRootAsync({ useFactory: () => ({ hosts: ['*'] }) });
    await expect(start(platform, { security })).rejects.toMatchObject({ code: 'ASEC_HOST_ANY' });
  });

  it('imported twice, it stops the start-up', async () => {
    @Module({ imports: [AgentSecurityModule.forRoot({ noStore: false })] })
    class Feature {}
    await expect(start(platform, { imports: [Feature] })).rejects.toMatchObject({
      code: 'ASEC_MODULE_TWICE',
    });
  });

  it('a provider of the same name replaces one of the module', async () => {
    @Injectable()
    class OwnRateLimitGuard extends RateLimitGuard {
      override canActivate(context: ExecutionContext): Promise<boolean> {
        events.push('own rate-limit guard');
        return super.canActivate(context);
      }
    }
    const app = await start(platform, {
      controllers: [Routes],
      options: { rateLimit: { limits: '1/minute' } },
      extras: { providers: [{ provide: RateLimitGuard, useClass: OwnRateLimitGuard }] },
    });
    const statuses = [(await app.send('/')).status, (await app.send('/')).status];
    expect(statuses).toEqual([200, 429]);
    expect(events).toEqual(['own rate-limit guard', 'handler', 'own rate-limit guard']);
  });

  it('gives its services to every module', async () => {
    @Injectable()
    class Service {
      constructor(readonly limiter: RateLimiter) {}
    }
    @Module({ providers: [Service] })
    class Feature {}
    const app = await start(platform, { imports: [Feature] });
    const { limiter } = app.app.get(Service, { strict: false });
    expect(await limiter.consume('1/minute', 'a')).toMatchObject({ granted: true });
  });
});

describe('where there is no HTTP', () => {
  @Module({ imports: [AgentSecurityModule.forRoot()] })
  class App {}

  it('an application context starts, and RateLimiter limits in it', async () => {
    const context = await NestFactory.createApplicationContext(App, {
      logger: new CapturingLogger(),
      abortOnError: false,
    });
    const limiter = context.get(RateLimiter);
    const granted = [await limiter.consume('1/minute', 'a'), await limiter.consume('1/minute', 'a')];
    expect(granted.map(result => result.granted)).toEqual([true, false]);
    await context.close();
  });

  it('an app of microservices alone starts', async () => {
    const service = await NestFactory.createMicroservice(App, {
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: 0 },
      logger: new CapturingLogger(),
      abortOnError: false,
    });
    await service.listen();
    await service.close();
    expect(service.get(RateLimiter)).toBeInstanceOf(RateLimiter);
  });
});

describe.each(PLATFORMS_AND_MODES.filter(([, { mode }]) => mode === 'Testing'))(
  'overrides on %s',
  (_title, platform) => {
    const options: AgentSecurityOptions = { rateLimit: { limits: '1/minute' } };

    // Not overrideGuard(): Nest applies it to guards that @UseGuards() names, and this one is global.
    it('overrideProvider reaches the rate limit', async () => {
      const app = await start(platform, {
        controllers: [Routes],
        options,
        override: builder => builder.overrideProvider(RateLimitGuard).useValue({ canActivate: () => true }),
      });
      const statuses: number[] = [];
      for (const path of ['/', '/', '/none']) statuses.push((await app.send(path)).status);
      expect(statuses).toEqual([200, 200, 404]);
    });

    it('overrideProvider reaches HostGuard and the filter', async () => {
      const app = await start(platform, {
        controllers: [Routes],
        override: builder =>
          builder
            .overrideProvider(HostGuard)
            .useValue({ canActivate: () => false })
            .overrideProvider(ProblemDetailsFilter)
            .useValue({
              catch: (_error: unknown, host: ArgumentsHost) => {
                host.switchToHttp().getResponse().status(418).send({ overridden: true });
              },
            }),
      });
      const answer = await app.send('/');
      expect([answer.status, events]).toEqual([418, []]);
    });
  },
);
