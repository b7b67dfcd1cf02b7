/* A concurrency limit bounds the handlers that run, whatever becomes of their responses. */
import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  Res,
  Sse,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { NEVER, type Observable, of, Subject, takeUntil, throwIfEmpty } from 'rxjs';
import { type AgentSecurityOptions, RateLimit, Timeout, TIMERS } from '../../src/index.js';
import { pipeline, reset, until, wire } from '../support/leaving.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';
import { ManualTimers } from '../support/timers.js';

let running = 0;
let most = 0;
let begun = 0;
let finish: (() => void)[] = [];
let guards: (() => void)[] = [];
let timeUp = new Subject<void>();

const work = async (): Promise<string> => {
  begun++;
  most = Math.max(most, ++running);
  await new Promise<void>(resolve => finish.push(resolve));
  running--;
  return 'done';
};

@Injectable()
class SlowGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    await new Promise<void>(resolve => guards.push(resolve));
    return true;
  }
}

/** As in Nest's documentation: an interceptor that answers for a handler that takes too long. */
@Injectable()
class TimeoutInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(takeUntil(timeUp), throwIfEmpty());
  }
}

const ONE = { limit: 1, algorithm: 'concurrency', key: 'global' } as const;

@Controller()
class Routes {
  @RateLimit({ ...ONE, limit: 2 })
  @Get('two')
  two(): Promise<string> {
    return work();
  }

  @RateLimit(ONE)
  @Timeout('100ms')
  @Get('timed')
  timed(): Promise<string> {
    return work();
  }

  @UseInterceptors(TimeoutInterceptor)
  @RateLimit(ONE)
  @Get('intercepted')
  intercepted(): Promise<string> {
    return work();
  }

  @RateLimit(ONE)
  @Get('own')
  own(@Res() response: { raw?: { end(): void }; end(): void; hijack?(): void }): void {
    response.hijack?.();
    void work().then(() => (response.raw ?? response).end());
  }

  @RateLimit(ONE)
  @UseGuards(SlowGuard)
  @Get('guarded')
  guarded(): Promise<string> {
    return work();
  }

  @RateLimit(ONE)
  @Sse('events')
  events(): Observable<unknown> {
    return NEVER;
  }

  @Get('modules')
  modules(): Promise<string> {
    return work();
  }

  @RateLimit('1000/minute')
  @Get('quick')
  quick(): Observable<string> {
    return of('quick');
  }
}

beforeEach(() => {
  running = most = begun = 0;
  finish = [];
  guards = [];
  timeUp = new Subject();
});
afterEach(() => finish.splice(0).forEach(go => go()));

describe.each(PLATFORMS)('concurrency limits on %s', (_title, platform) => {
  let timers: ManualTimers;
  const launch = (rateLimit?: AgentSecurityOptions['rateLimit']): Promise<RunningApp> => {
    timers = new ManualTimers();
    return start(platform, {
      controllers: [Routes],
      options: { rateLimit: { limits: false, flood: false, ...(rateLimit as object | undefined) } },
      extras: { providers: [{ provide: TIMERS, useValue: timers }] },
    });
  };
  const server = (app: RunningApp) => app.app.getHttpServer();
  /** Sends a request, and leaves when it has come to a handler or was rejected. */
  const leave = async (app: RunningApp, path: string): Promise<void> => {
    const before = begun;
    const socket = await pipeline(app.port, wire('GET', path));
    let text = '';
    socket.on('data', chunk => (text += chunk.toString('latin1')));
    await until('it runs or is rejected', () => begun > before || text.includes('429'));
    await reset(server(app), socket);
  };
  const statusOf = async (app: RunningApp, path: string): Promise<number> => (await app.send(path)).status;

  it.each([
    ['of a route', '/two', undefined],
    ['of the module', '/modules', { limits: { limit: 2, algorithm: 'concurrency', key: 'global' } }],
  ] as const)('bounds the handlers of clients that leave: %s', async (_case, path, rateLimit) => {
    const app = await launch(rateLimit);
    for (let turn = 0; turn < 30; turn++) await leave(app, path);
    expect([most, begun]).toEqual([2, 2]);
    finish.splice(0).forEach(go => go());
    await until('the handlers have ended', () => running === 0);
    await leave(app, path);
    expect(begun).toBe(3);
  });

  it('keeps the lease of a handler whose timeout has passed', async () => {
    const app = await launch();
    const first = app.send('/timed');
    await until('it runs', () => begun === 1);
    timers.advance(100);
    expect((await first).status).toBe(503);
    for (let turn = 0; turn < 20; turn++) expect(await statusOf(app, '/timed')).toBe(429);
    expect(most).toBe(1);
    finish.splice(0).forEach(go => go());
    await until('the handler has ended', () => running === 0);
    const last = app.send('/timed');
    await until('the next runs', () => begun === 2);
    finish.splice(0).forEach(go => go());
    expect((await last).status).toBe(200);
  });

  it('keeps the lease of a handler that an interceptor has answered for', async () => {
    const app = await launch();
    const first = app.send('/intercepted');
    await until('it runs', () => begun === 1);
    timeUp.next();
    expect((await first).status).toBe(500);
    for (let turn = 0; turn < 5; turn++) expect(await statusOf(app, '/intercepted')).toBe(429);
    finish.splice(0).forEach(go => go());
    await until('the handler has ended', () => running === 0);
    const last = app.send('/intercepted');
    await until('the next runs', () => begun === 2);
    finish.splice(0).forEach(go => go());
    expect((await last).status).toBe(200);
  });

  it('ends the lease of a handler that never ends one lease time after its response', async () => {
    const app = await launch();
    const first = app.send('/timed');
    await until('it runs', () => begun === 1);
    timers.advance(100);
    expect((await first).status).toBe(503);
    app.clock.advance(60_000);
    expect(await statusOf(app, '/timed')).toBe(429);
    app.clock.advance(5_000);
    const next = app.send('/timed');
    await until('the next runs', () => begun === 2);
    finish.splice(0).forEach(go => go());
    expect((await next).status).toBe(200);
  });

  it('goes by the response where the handler answers by itself', async () => {
    const app = await launch();
    const first = app.send('/own');
    await until('it runs', () => begun === 1);
    expect(await statusOf(app, '/own')).toBe(429);
    finish.splice(0).forEach(go => go());
    await first;
    const next = app.send('/own');
    await until('the next runs', () => begun === 2);
    finish.splice(0).forEach(go => go());
    expect((await next).status).toBe(200);
  });

  it('runs no handler whose client left while a guard was awaited', async () => {
    const app = await launch();
    for (let turn = 0; turn < 5; turn++) {
      const socket = await pipeline(app.port, wire('GET', '/guarded'));
      await until('the guard runs', () => guards.length === 1);
      await reset(server(app), socket);
      guards.splice(0).forEach(go => go());
    }
    const last = app.send('/guarded');
    await until('the guard runs', () => guards.length === 1);
    expect(begun).toBe(0);
    guards.splice(0).forEach(go => go());
    await until('it runs', () => begun === 1);
    finish.splice(0).forEach(go => go());
    expect((await last).status).toBe(200);
  });

  it('releases the lease of a silent stream whose client has gone', async () => {
    const app = await launch();
    for (let turn = 0; turn < 5; turn++) {
      const socket = await pipeline(app.port, wire('GET', '/events', { Accept: 'text/event-stream' }));
      let text = '';
      socket.on('data', chunk => (text += chunk.toString('latin1')));
      await until('it is answered', () => text.includes('\r\n\r\n'));
      expect(text).toMatch(/^HTTP\/1.1 200 /);
      await reset(server(app), socket);
    }
  });

  it('leaves routes without such a limit alone', async () => {
    const limits = { limit: 2, algorithm: 'concurrency' } as const;
    expect(await statusOf(await launch({ limits }), '/quick')).toBe(200);
    expect(Reflect.getMetadata('__interceptors__', Routes.prototype.quick)).toBeUndefined();
  });
});
