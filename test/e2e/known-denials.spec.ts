/* A request that the guard has denied by the limits of its route is denied again before routing. */
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  type MiddlewareConsumer,
  Post,
  Version,
  VersioningType,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication, RouteConstraints } from '@nestjs/platform-fastify';
import { ThrottlerException } from '@nestjs/throttler';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MAY_CARRY_AGENT } from '../../src/common/agent.js';
import type { PlatformRequest } from '../../src/common/http-request.js';
import { stateOfRequest } from '../../src/common/request-state.js';
import {
  AgentTool,
  type AuditLine,
  type AuditRecord,
  ProblemDetailsFilter,
  RateLimit,
  RateLimitGuard,
  SecurityEvents,
  SkipRateLimit,
} from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { FASTIFY, PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

@Controller()
class PlainController {
  @Get()
  plain(): object {
    return {};
  }

  @Post()
  post(): object {
    return {};
  }

  @Get('other')
  other(): object {
    return {};
  }

  @RateLimit('3/minute')
  @Get('own')
  own(): object {
    return {};
  }

  @RateLimit({ limit: '3/minute', key: () => 'everybody' })
  @Get('keyed')
  keyed(): object {
    return {};
  }

  @SkipRateLimit()
  @Get('free')
  free(): object {
    return {};
  }

  @Get('healthz')
  health(): object {
    return {};
  }
}

@RateLimit('2/minute')
@Controller('classes')
class ClassController {
  @Get('one')
  one(): object {
    return {};
  }

  @Get('items/:id')
  item(): object {
    return {};
  }

  @RateLimit('2/minute')
  @Get('more')
  more(): object {
    return {};
  }
}

@Controller()
class ToolController {
  @AgentTool('plain')
  @Get('tool')
  plain(): object {
    return {};
  }

  @RateLimit('1/minute')
  @AgentTool('limited')
  @Get('own-tool')
  limited(): object {
    return {};
  }
}

/** Requests that came past the edge. */
let passed = 0;
const countPassed = (consumer: MiddlewareConsumer): void =>
  void consumer
    .apply((_request: unknown, _response: unknown, next: () => void) => {
      passed += 1;
      next();
    })
    .forRoutes('{*path}');

const parts = (own: AppParts = {}): AppParts => ({
  controllers: [PlainController],
  middleware: countPassed,
  ...own,
  options: { rateLimit: { limits: '1/minute', exemptPaths: ['/healthz'] }, ...own.options },
});

async function statuses({ send }: RunningApp, path: string, times: number, headers = {}): Promise<number[]> {
  const list: number[] = [];
  for (let turn = 0; turn < times; turn++) list.push((await send(path, { headers })).status);
  return list;
}

/** An answer without what is another one's by nature. */
function comparable(answer: Answer): { lines: string[]; body: unknown } {
  const varying = new Set(['x-request-id', 'date']);
  const { requestId: _id, ...body } = answer.json();
  const lines = answer.lines.map(([name, value]) => `${name.toLowerCase()}: ${value}`);
  return { lines: lines.filter(line => !varying.has(line.split(':')[0]!)).toSorted(), body };
}

describe.each(PLATFORMS)('on %s, a request that the guard has just denied', (_title, platform) => {
  beforeEach(() => (passed = 0));

  it.each([
    ['', {}],
    [' of an allowed origin', { Origin: 'https://app.example.com' }],
  ])('is denied before routing, with the same headers and body%s', async (_case, headers) => {
    const { send } = await start(
      platform,
      parts({ options: { cors: { origins: ['https://app.example.com'] } } }),
    );
    expect((await send('/', { headers })).status).toBe(200);
    const byGuard = await send('/', { headers });
    expect([byGuard.status, passed]).toEqual([429, 2]);
    const byFront = await send('/', { headers });
    expect([byFront.status, passed]).toEqual([429, 2]);
    expect(comparable(byFront)).toEqual(comparable(byGuard));
    expect(byFront.json()['requestId']).toBe(byFront.header('x-request-id'));
    expect(byFront.repeated).toEqual([]);
  });

  it('has events of its own, which a listener may change', async () => {
    const app = await start(platform, parts());
    const policies: (readonly string[] | undefined)[] = [];
    app.app.get(SecurityEvents).on('request.rejected', event => {
      policies.push([...event.policies!]);
      (event.policies as string[]).push('changed');
    });
    await statuses(app, '/', 4);
    expect(policies).toEqual([['1-per-minute'], ['1-per-minute'], ['1-per-minute']]);
  });

  it('gets the remaining time, and is granted at that moment', async () => {
    const app = await start(platform, parts());
    await statuses(app, '/', 2);
    app.clock.advance(20_500);
    const rejected = await app.send('/');
    expect([rejected.status, rejected.header('retry-after'), rejected.header('ratelimit'), passed]).toEqual([
      429,
      '40',
      '"1-per-minute";r=0;t=40',
      2,
    ]);
    expect(rejected.json()['retry_after_seconds']).toBe(40);
    app.clock.advance(39_498);
    expect([await statuses(app, '/', 1), passed]).toEqual([[429], 2]);
    app.clock.advance(2);
    expect(await statuses(app, '/', 1)).toEqual([200]);
  });

  it('is decided anew as soon as any window gives something back', async () => {
    const app = await start(
      platform,
      parts({ options: { rateLimit: { limits: ['2/second', '3/minute'] } } }),
    );
    expect(await statuses(app, '/', 4)).toEqual([200, 200, 429, 429]);
    expect(passed).toBe(3);
    app.clock.advance(1_000);
    expect(await statuses(app, '/', 3)).toEqual([200, 429, 429]);
    expect(passed).toBe(5);
    app.clock.advance(1_000);
    const rejected = await app.send('/');
    expect(rejected.header('ratelimit')).toBe('"2-per-second";r=2;t=0, "3-per-minute";r=0;t=58');
  });

  it('is granted on routes without a limit or with their own and on exempt paths', async () => {
    const app = await start(platform, parts());
    expect(await statuses(app, '/', 3)).toEqual([200, 429, 429]);
    expect(await statuses(app, '/free', 3)).toEqual([200, 200, 200]);
    expect(await statuses(app, '/own', 3)).toEqual([200, 200, 200]);
    expect(await statuses(app, '/healthz', 2)).toEqual([200, 200]);
    expect(await statuses(app, '/other', 2)).toEqual([429, 429]);
    expect((await app.send('/', { method: 'POST' })).status).toBe(429);
  });

  it('does not reach middleware that would have answered, but on routes whose limit has a key and exempt paths', async () => {
    const cache = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
      if (request.headers.cookie === undefined) next();
      else response.end('{"cached":true}');
    };
    const middleware = (consumer: MiddlewareConsumer): void =>
      void consumer.apply(cache).forRoutes('{*path}');
    const app = await start(platform, parts({ middleware }));
    await statuses(app, '/own', 4);
    await statuses(app, '/keyed', 4);
    await statuses(app, '/', 2);
    const answers: number[] = [];
    for (const path of ['/', '/own', '/keyed', '/healthz'])
      answers.push(...(await statuses(app, path, 1, { Cookie: 'a=1' })));
    expect(answers).toEqual([429, 429, 200, 200]);
  });

  it('is denied before routing under the own limit of its route too, with the same headers and body', async () => {
    const app = await start(platform, parts());
    expect([await statuses(app, '/own', 3), passed]).toEqual([[200, 200, 200], 3]);
    const byGuard = await app.send('/own');
    const byEdge = await app.send('/own');
    expect([byGuard.status, byEdge.status, passed]).toEqual([429, 429, 4]);
    expect(comparable(byEdge)).toEqual(comparable(byGuard));
    expect(await statuses(app, '/', 1)).toEqual([200]);
    app.clock.advance(60_000);
    expect(await statuses(app, '/own', 4)).toEqual([200, 200, 200, 429]);
  });

  it.each(['/classes/one', '/classes/items/1', '/classes/items/2'])(
    'is decided by the guard on the other paths of a limit that several share: %s first',
    async first => {
      const app = await start(platform, parts({ controllers: [ClassController] }));
      expect(await statuses(app, first, 4)).toEqual([200, 200, 429, 429]);
      expect(passed).toBe(3);
      for (const path of ['/classes/one', '/classes/items/1', '/classes/items/2', '/classes/items/3'])
        expect(await statuses(app, path, 2)).toEqual([429, 429]);
      expect(passed).toBe(6);
      expect(await statuses(app, '/classes/more', 3)).toEqual([200, 200, 429]);
    },
  );

  it('has an audit record each time if it calls a tool', async () => {
    const records: AuditRecord[] = [];
    const write = (lines: readonly AuditLine[]): void =>
      void records.push(...lines.map(({ record }) => record));
    const options = { audit: { sinks: [{ name: 'memory', write }] } };
    const app = await start(platform, parts({ controllers: [ToolController], options }));
    expect(await statuses(app, '/tool', 4)).toEqual([200, 429, 429, 429]);
    expect(await statuses(app, '/own-tool', 4)).toEqual([200, 429, 429, 429]);
    await app.app.close();
    const rejected = records.filter(({ outcome }) => outcome === 'rejected');
    expect(rejected.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(6);
    expect(passed).toBe(8);
  });

  it('does not deny other clients', async () => {
    const app = await start(platform, parts({ options: { trustProxy: 'loopback' } }));
    const from = (address: string): object => ({ 'X-Forwarded-For': address });
    expect(await statuses(app, '/', 3, from('192.0.2.1'))).toEqual([200, 429, 429]);
    expect(passed).toBe(2);
    expect(await statuses(app, '/', 1, from('192.0.2.2'))).toEqual([200]);
  });

  it('is answered by a filter of the app, every time', async () => {
    @Catch(ThrottlerException)
    class OwnFilter implements ExceptionFilter {
      catch(_exception: unknown, host: ArgumentsHost): void {
        const response = host.switchToHttp().getResponse();
        response.status(503).send('mine');
      }
    }
    const app = await start(platform, parts({ providers: [{ provide: APP_FILTER, useClass: OwnFilter }] }));
    expect(await statuses(app, '/', 4)).toEqual([200, 503, 503, 503]);
  });

  it('reaches a guard of the app that grants some requests', async () => {
    @Injectable()
    class OwnGuard extends RateLimitGuard {
      override canActivate(context: ExecutionContext): Promise<boolean> {
        const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
        return headers['x-internal'] === 'yes' ? Promise.resolve(true) : super.canActivate(context);
      }
    }
    const extras = { providers: [{ provide: RateLimitGuard, useClass: OwnGuard }] };
    const app = await start(platform, parts({ extras }));
    expect(await statuses(app, '/', 3)).toEqual([200, 429, 429]);
    expect(await statuses(app, '/', 1, { 'X-Internal': 'yes' })).toEqual([200]);
  });

  it('reaches a problem filter of the app every time', async () => {
    @Injectable()
    class OwnProblems extends ProblemDetailsFilter {
      override catch(exception: unknown, host: ArgumentsHost): unknown {
        passed += 1_000;
        // oxlint-disable-next-line promise/valid-params -- an exception filter's catch(), not a promise's
        return super.catch(exception, host);
      }
    }
    const extras = { providers: [{ provide: ProblemDetailsFilter, useClass: OwnProblems }] };
    const app = await start(platform, parts({ extras }));
    expect(await statuses(app, '/', 3)).toEqual([200, 429, 429]);
    expect(passed).toBe(2_003);
  });

  it('reaches the routes that headers choose', async () => {
    @Controller()
    class VersionedController {
      @Version('1')
      @Get()
      first(): object {
        return {};
      }

      @Version('2')
      @SkipRateLimit()
      @Get()
      second(): object {
        return {};
      }
    }
    const configure = (app: INestApplication): void =>
      void app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version' });
    const app = await start(platform, parts({ controllers: [VersionedController], configure }));
    expect(await statuses(app, '/', 3, { 'X-Version': '1' })).toEqual([200, 429, 429]);
    expect(await statuses(app, '/', 1, { 'X-Version': '2' })).toEqual([200]);
  });

  it('reaches authentication if it carries a credential', async () => {
    const extras = {
      providers: [
        {
          provide: MAY_CARRY_AGENT,
          useValue: (raw: IncomingMessage) => raw.headers.authorization !== undefined,
        },
      ],
    };
    const identify = (request: PlatformRequest, _response: unknown, next: () => void): void => {
      const id = request.headers.authorization;
      if (id) stateOfRequest(request)!.agent = { id, kind: 'custom', scopes: [], claims: {} };
      next();
    };
    const middleware = (consumer: MiddlewareConsumer): void =>
      void consumer.apply(identify).forRoutes('{*path}');
    const app = await start(platform, parts({ extras, middleware }));
    // The denial of an agent is not remembered for its address.
    expect(await statuses(app, '/', 3, { Authorization: 'alice' })).toEqual([200, 429, 429]);
    expect(await statuses(app, '/', 3)).toEqual([200, 429, 429]);
    expect(await statuses(app, '/', 2, { Authorization: 'bob' })).toEqual([200, 429]);
    expect(await statuses(app, '/', 1)).toEqual([429]);
  });

  it('is granted if all limits are in shadow mode', async () => {
    const app = await start(
      platform,
      parts({ options: { rateLimit: { limits: '1/minute', shadow: true } } }),
    );
    expect(await statuses(app, '/', 4)).toEqual([200, 200, 200, 200]);
  });
});

describe('on Fastify', () => {
  beforeEach(() => (passed = 0));

  it('denies in the hook what app.inject() sends', async () => {
    const { app } = await start(FASTIFY, parts());
    const inject = async (): Promise<unknown[]> => {
      const { statusCode, headers } = await (app as NestFastifyApplication).inject({
        url: '/',
        headers: { host: 'localhost' },
      });
      return [statusCode, headers['retry-after'], headers['x-frame-options'], passed];
    };
    expect([await inject(), await inject(), await inject()]).toEqual([
      [200, undefined, 'DENY', 1],
      [429, '60', 'DENY', 2],
      [429, '60', 'DENY', 2],
    ]);
  });

  it('leaves apps alone whose routes have constraints of their own', async () => {
    @Controller()
    class ConstrainedController {
      @Get()
      plain(): object {
        return {};
      }

      @RouteConstraints({ flavour: 'mint' })
      @SkipRateLimit()
      @Get()
      second(): object {
        return {};
      }
    }
    const flavour = {
      name: 'flavour',
      storage: () => {
        const routes = new Map<string, unknown>();
        return {
          get: (value: string) => routes.get(value) ?? null,
          set: (value: string, route: unknown) => void routes.set(value, route),
        };
      },
      deriveConstraint: (request: IncomingMessage) => request.headers['x-flavour'],
      mustMatchWhenDerived: true,
    };
    // An option for the router is lost in Nest 11.
    const adapter = (): FastifyAdapter => {
      const made = new FastifyAdapter();
      made.getInstance().addConstraintStrategy(flavour as never);
      return made;
    };
    const app = await start(FASTIFY, parts({ controllers: [ConstrainedController], adapter }));
    expect(await statuses(app, '/', 3)).toEqual([200, 429, 429]);
    expect(passed).toBe(3);
    expect(await statuses(app, '/', 1, { 'X-Flavour': 'mint' })).toEqual([200]);
  });
});
