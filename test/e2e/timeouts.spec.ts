/* How long requests, handlers and streams may take. A manual clock moves the time; only the limits of Node's own server take real time. */
import { once } from 'node:events';
import { request as httpRequest, type Server, type ServerResponse } from 'node:http';
import { type CanActivate, Controller, Get, Injectable, Res, Sse, UseGuards } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { concatWith, NEVER, of } from 'rxjs';
import { type AgentSecurityOptions, Signal, Timeout, TIMERS } from '../../src/index.js';
import { loadCases } from '../fixtures/load-cases.js';
import { exchange } from '../support/http.js';
import { FASTIFY, PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';
import { ManualTimers } from '../support/timers.js';

interface Waiting {
  readonly begun: Promise<void>;
  begin: () => void;
  readonly finish: (value: unknown) => void;
  readonly fail: (error: Error) => void;
  readonly answer: Promise<unknown>;
}

function waiting(): Waiting {
  let begin!: () => void;
  let finish!: (value: unknown) => void;
  let fail!: (error: Error) => void;
  const begun = new Promise<void>(resolve => (begin = resolve));
  const answer = new Promise<unknown>((resolve, reject) => ([finish, fail] = [resolve, reject]));
  return { begun, begin, answer, finish, fail };
}

let slow: Waiting;
let signals: AbortSignal[];
beforeEach(() => {
  slow = waiting();
  signals = [];
});

@Injectable()
class SlowGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    slow.begin();
    return Boolean(await slow.answer);
  }
}

@Controller()
class Routes {
  @Get('slow')
  slow(@Signal() signal: AbortSignal): Promise<unknown> {
    signals.push(signal);
    slow.begin();
    return slow.answer;
  }

  @Get('limited')
  @Timeout('10s')
  limited(@Signal() signal: AbortSignal): Promise<unknown> {
    return this.slow(signal);
  }

  @Get('unlimited')
  @Timeout(false)
  unlimited(): Promise<unknown> {
    slow.begin();
    return slow.answer;
  }

  @Get('own')
  @Timeout('10s')
  async own(@Res() response: { send(body: unknown): unknown }): Promise<void> {
    slow.begin();
    const body = await slow.answer;
    // As a callback of the app would: an error here ends the process.
    process.nextTick(() => response.send(body));
  }

  @Get('guarded')
  @UseGuards(SlowGuard)
  guarded(): object {
    return {};
  }

  @Sse('events')
  @Timeout({ handler: '10s', idle: '1min' })
  events(@Signal() signal: AbortSignal): unknown {
    signals.push(signal);
    slow.begin();
    return of({ data: 'first' }).pipe(concatWith(NEVER));
  }
}

describe.each(PLATFORMS)('timeouts on %s', (_title, platform) => {
  let timers: ManualTimers;
  const launch = async (timeout?: AgentSecurityOptions['timeout'], parts = {}): Promise<RunningApp> => {
    timers = new ManualTimers();
    return start(platform, {
      controllers: [Routes],
      options: timeout === undefined ? {} : { timeout },
      extras: { providers: [{ provide: TIMERS, useValue: timers }] },
      ...parts,
    });
  };

  it('answers 503 with Retry-After when the time is over, and aborts the signal', async () => {
    const app = await launch();
    const answering = app.send('/limited');
    await slow.begun;
    timers.advance(9_999);
    expect(signals[0]!.aborted).toBe(false);
    timers.advance(1);
    const answer = await answering;
    expect([answer.status, answer.header('retry-after')]).toEqual([503, '5']);
    expect(answer.header('content-type')).toBe('application/problem+json');
    expect(answer.header('x-frame-options')).toBe('DENY');
    expect(answer.json()).toMatchObject({
      code: 'handler_timeout',
      retryable: true,
      retry_after_seconds: 5,
      requestId: answer.header('x-request-id'),
    });
    expect(signals[0]!.reason).toMatchObject({ name: 'TimeoutError' });
    expect(timers.size).toBe(0);
  });

  it.each<[string, string[], (late: Waiting) => void]>([
    ['answers', [], late => late.finish({ late: true })],
    ['fails with', ['too late'], late => late.fail(new Error('too late'))],
  ])('drops what a handler %s later', async (_what, logged, end) => {
    const app = await launch();
    const answering = app.send('/limited');
    await slow.begun;
    timers.advance(10_000);
    expect((await answering).json()).toMatchObject({ code: 'handler_timeout' });
    end(slow);
    await new Promise(resolve => setImmediate(resolve));
    // An error of its own reaches the log, one of writing too late does not come up.
    const lines = app.logger.entries.filter(({ level }) => level === 'error' || level === 'debug');
    expect(lines.map(({ message }) => message.replace(/^\[.*?\] /, ''))).toEqual(logged);
  });

  it('lets a handler that holds the response itself send too late', async () => {
    const app = await launch();
    const answering = app.send('/own');
    await slow.begun;
    timers.advance(10_000);
    expect((await answering).status).toBe(503);
    slow.finish({ late: true });
    await new Promise(resolve => setImmediate(resolve));
    slow = waiting();
    const again = app.send('/own');
    await slow.begun;
    slow.finish({ late: false });
    expect((await again).json()).toEqual({ late: false });
  });

  it('leaves an answer in time alone, and stops waiting', async () => {
    const app = await launch();
    const answering = app.send('/limited');
    await slow.begun;
    expect(timers.size).toBe(1);
    slow.finish({ ok: true });
    expect((await answering).json()).toEqual({ ok: true });
    expect([timers.size, signals[0]!.aborted]).toEqual([0, false]);
  });

  it('aborts the signal when the client goes, without a limit too', async () => {
    const app = await launch();
    const client = httpRequest({ port: app.port, host: '127.0.0.1', path: '/slow' });
    client.on('error', () => undefined);
    client.end();
    await slow.begun;
    client.destroy();
    await once(signals[0]!, 'abort');
    expect(signals[0]!.reason).toMatchObject({ name: 'AbortError' });
    slow.finish({});
  });

  it.each<[string, AgentSecurityOptions['timeout'], string, number]>([
    ['the module for all', '5s', '/slow', 5_000],
    ['the module, in milliseconds', '5000ms', '/slow', 5_000],
    ['the module, as an option', { handler: '5s' }, '/slow', 5_000],
    ['the handler over the module', '5s', '/limited', 10_000],
    ['the module, also for guards', '5s', '/guarded', 5_000],
  ])('%s', async (_what, timeout, path, ms) => {
    const app = await launch(timeout);
    const answering = app.send(path);
    await slow.begun;
    timers.advance(ms - 1);
    expect(timers.size).toBe(1);
    timers.advance(1);
    expect((await answering).status).toBe(503);
    slow.finish(true);
  });

  it.each<[string, AgentSecurityOptions['timeout'], string]>([
    ['by default', undefined, '/slow'],
    ['with false for the module', false, '/slow'],
    ['with @Timeout(false)', '5s', '/unlimited'],
  ])('does not limit handlers %s', async (_what, timeout, path) => {
    const app = await launch(timeout);
    const answering = app.send(path);
    await slow.begun;
    expect(timers.size).toBe(0);
    slow.finish({});
    expect((await answering).status).toBe(200);
  });

  it('leaves a stream alone that sends, and closes one that is silent for too long', async () => {
    const app = await launch();
    const streams: ServerResponse[] = [];
    (app.app.getHttpServer() as Server).prependListener('request', (_request, response: ServerResponse) =>
      streams.push(response),
    );
    const client = httpRequest({ port: app.port, host: '127.0.0.1', path: '/events' });
    client.end();
    const [response] = await once(client, 'response');
    expect(response.statusCode).toBe(200);
    await once(response, 'data');
    // The time of the handler has no meaning for a stream that has begun.
    timers.advance(10_000);
    timers.advance(59_999);
    streams[0]!.write(': still here\n\n');
    timers.advance(1);
    timers.advance(59_999);
    expect(signals[0]!.aborted).toBe(false);
    response.on('error', () => undefined);
    const closed = new Promise(resolve => response.on('close', resolve));
    timers.advance(1);
    await closed;
    expect(signals[0]!.reason).toMatchObject({ name: 'TimeoutError' });
    expect(timers.size).toBe(0);
  });

  describe('the server', () => {
    const limitsOf = (app: RunningApp): number[] => {
      const { headersTimeout, requestTimeout, keepAliveTimeout } = app.app.getHttpServer() as Server;
      return [headersTimeout, requestTimeout, keepAliveTimeout];
    };
    const keepAlive = platform.name === 'Express' ? 5_000 : 72_000;

    it.each<[string, AgentSecurityOptions['timeout'], Partial<Server>, number[]]>([
      ['by default', undefined, {}, [20_000, 120_000, keepAlive]],
      ['with a time for handlers', '5s', {}, [20_000, 120_000, keepAlive]],
      ['with options', { headers: '5s', request: '10min', keepAlive: '1s' }, {}, [5_000, 600_000, 1_000]],
      [
        'off',
        { headers: false, request: false },
        {},
        [60_000, platform.name === 'Express' ? 300_000 : 0, keepAlive],
      ],
      ['all off', false, {}, [60_000, platform.name === 'Express' ? 300_000 : 0, keepAlive]],
      [
        'beside stricter limits of the app',
        undefined,
        { headersTimeout: 1_000, requestTimeout: 2_000 },
        [1_000, 2_000, keepAlive],
      ],
      [
        'beside longer limits of the app',
        undefined,
        { requestTimeout: 900_000 },
        [20_000, 900_000, keepAlive],
      ],
      [
        'options beside stricter limits of the app',
        { headers: '5s', request: '5s' },
        { headersTimeout: 1_000, requestTimeout: 2_000 },
        [1_000, 2_000, keepAlive],
      ],
    ])('%s', async (_what, timeout, own, limits) => {
      const app = await launch(timeout, {
        configure: (made: RunningApp['app']) => void Object.assign(made.getHttpServer(), own),
      });
      expect(limitsOf(app)).toEqual(limits);
    });

    it('closes a connection whose head does not come (slow-headers), with 408', async () => {
      const { raw } = loadCases('raw-requests').cases.find(({ id }) => id === 'slow-headers')!;
      const app = await launch({ headers: '100ms', request: '200ms' });
      const { answers, closed } = await exchange(app.port, raw);
      expect([answers.map(({ status }) => status), closed]).toEqual([[408], true]);
      expect(answers[0]!.json()).toMatchObject({ code: 'request_timeout' });
    });

    it('closes a connection whose body does not come, with 408', async () => {
      const app = await launch({ headers: '100ms', request: '200ms' });
      const head =
        'POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{';
      const { answers, closed } = await exchange(app.port, head);
      expect([answers.map(({ status }) => status), closed]).toEqual([[408], true]);
    });
  });
});

test('an HTTP/2 server has no such limits', async () => {
  const app = await start(FASTIFY, { adapter: () => new FastifyAdapter({ http2: true } as object) });
  expect(app.port).toBeGreaterThan(0);
});

it.each(['30', '30 parsecs', '0s', '30d', -1, 1.5, Number.NaN, null, { handlers: '1s' }, { idle: 'long' }])(
  '@Timeout(%p) is none',
  value => expect(() => Timeout(value as string)(class {})).toThrow(/ASEC_OPTION/),
);
