/* Requests whose connection closes before they are answered: what they hold is released, and their calls have an audit record. */
import type { Server } from 'node:http';
import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  Post,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { type Observable, retry } from 'rxjs';
import { AgentTool, RateLimit } from '../../src/index.js';
import { headerAgents } from '../support/agents.js';
import { HeldSink } from '../support/audit.js';
import { pipeline, reset, until, wire } from '../support/leaving.js';
import { calls, modern, SDK_SERVER } from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

/** Guards and handlers that a test delays, each until it is released. */
let held: (() => void)[] = [];
let runs = 0;
const hold = (): Promise<void> => new Promise(resolve => held.push(resolve));
const releaseHeld = (): void => held.splice(0).forEach(go => go());

beforeEach(() => {
  runs = 0;
  held = [];
});
afterEach(releaseHeld);

@Injectable()
class SlowGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    await hold();
    return true;
  }
}

/** As an app may try a handler again. */
@Injectable()
class Retry implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(retry(1));
  }
}

@Controller()
class Routes {
  @Get('held')
  held(): Promise<void> {
    return hold();
  }

  @AgentTool('wipe', { impact: 'high' })
  @Post('wipe')
  wipe(): string {
    runs++;
    return 'wiped';
  }

  @AgentTool('move', { impact: 'medium' })
  @Post('move')
  move(): string {
    runs++;
    return 'moved';
  }

  @AgentTool('guarded', { impact: 'high' })
  @UseGuards(SlowGuard)
  @Post('guarded')
  guarded(): string {
    runs++;
    return 'done';
  }

  @AgentTool('flaky', { impact: 'high' })
  @UseInterceptors(Retry)
  @Post('flaky')
  flaky(): string {
    runs++;
    if (runs % 2 === 1) throw new Error('not yet');
    return 'done';
  }

  @RateLimit({ limit: 5, algorithm: 'concurrency', key: 'global' })
  @Post('concurrent')
  concurrent(): string {
    runs++;
    return 'served';
  }
}

const ABORTS = 100;
const MAX_QUEUED = 16;

describe.each(PLATFORMS)('requests whose client leaves, on %s', (_title, platform) => {
  let sink: HeldSink;
  const launch = async (parts: AppParts = {}): Promise<RunningApp & { readonly server: Server }> => {
    sink = new HeldSink();
    const running = await start(platform, {
      controllers: [Routes],
      ...parts,
      options: {
        rateLimit: { limits: false, flood: false },
        audit: { sinks: [sink], maxQueued: MAX_QUEUED },
        ...parts.options,
      },
    });
    return { ...running, server: running.app.getHttpServer() as Server };
  };
  /** A pipelined request behind one that is not answered, and a reset once both are with their handlers. */
  const abandonPipelined = async (
    { port, server }: RunningApp & { server: Server },
    request: string,
    isRunning: () => boolean,
  ): Promise<void> => {
    const socket = await pipeline(port, wire('GET', '/held'), request);
    await until('both requests are with their handlers', () => held.length === 1 && isRunning());
    await reset(server, socket);
    releaseHeld();
  };

  it.each(['wipe', 'move'])(
    'records one outcome of each pipelined call of %s whose connection is reset',
    async tool => {
      const app = await launch();
      for (let turn = 1; turn <= ABORTS; turn++)
        await abandonPipelined(app, wire('POST', `/${tool}`), () => runs === turn);
      const expected = tool === 'wipe' ? ['started', 'finished aborted'] : ['finished aborted'];
      await until('all outcomes are recorded', () => sink.records.length === expected.length * ABORTS);
      expect([...sink.ends.values()]).toEqual(Array.from({ length: ABORTS }, () => expected));
      expect((await app.send(`/${tool}`, { method: 'POST' })).status).toBe(201);
    },
  );

  it('records one outcome of each pipelined call over MCP whose connection is reset', async () => {
    const app = await launch({
      ...SDK_SERVER.parts,
      controllers: [Routes, ...SDK_SERVER.parts.controllers!],
      options: { mcp: {}, tools: { policies: { delete_user: { impact: 'high' } } } },
    });
    const { body, headers } = modern('tools/call', { name: 'delete_user', arguments: {} });
    for (let turn = 1; turn <= ABORTS; turn++)
      await abandonPipelined(app, wire('POST', '/mcp', headers, body), () => calls.length === turn);
    await until('all outcomes are recorded', () => sink.records.length === 2 * ABORTS);
    expect([...sink.ends.values()]).toEqual(
      Array.from({ length: ABORTS }, () => ['started', 'finished aborted']),
    );
    expect((await app.send('/mcp', { method: 'POST', headers, body })).status).toBe(200);
  });

  it('releases the lease of each pipelined request whose connection is reset', async () => {
    const app = await launch();
    for (let turn = 1; turn <= 20; turn++)
      await abandonPipelined(app, wire('POST', '/concurrent'), () => runs === turn);
    expect((await app.send('/concurrent', { method: 'POST' })).status).toBe(201);
  });

  it('does not run a call whose client left while its start was recorded, and gives its room back', async () => {
    const app = await launch();
    for (let turn = 1; turn <= MAX_QUEUED + 1; turn++) {
      sink.hold();
      const socket = await pipeline(app.port, wire('POST', '/wipe'));
      await until('the start is being written', () => sink.ends.size === turn);
      await reset(app.server, socket);
      sink.release();
      await until('the end is recorded', () => sink.records.length === 2 * turn);
    }
    expect(runs).toBe(0);
    expect([...sink.ends.values()]).toEqual(
      Array.from({ length: MAX_QUEUED + 1 }, () => ['started', 'rejected aborted']),
    );
    expect((await app.send('/wipe', { method: 'POST' })).status).toBe(201);
  });

  it('does not run a call over MCP whose client left while its start was recorded', async () => {
    const app = await launch({
      ...SDK_SERVER.parts,
      options: { mcp: {}, tools: { policies: { delete_user: { impact: 'high' } } } },
    });
    const { body, headers } = modern('tools/call', { name: 'delete_user', arguments: {} });
    for (let turn = 1; turn <= MAX_QUEUED + 1; turn++) {
      sink.hold();
      const socket = await pipeline(app.port, wire('POST', '/mcp', headers, body));
      await until('the start is being written', () => sink.ends.size === turn);
      await reset(app.server, socket);
      sink.release();
      await until('the end is recorded', () => sink.records.length === 2 * turn);
    }
    expect(calls).toEqual([]);
    expect([...sink.ends.values()]).toEqual(
      Array.from({ length: MAX_QUEUED + 1 }, () => ['started', 'rejected aborted']),
    );
    expect((await app.send('/mcp', { method: 'POST', headers, body })).status).toBe(200);
  });

  it('does not run a call whose client left while a guard was awaited', async () => {
    const app = await launch({ extras: { providers: [headerAgents] } });
    for (let turn = 1; turn <= MAX_QUEUED + 1; turn++) {
      const socket = await pipeline(app.port, wire('POST', '/guarded', { 'X-Agent': 'bot' }));
      await until('the guard runs', () => held.length === 1);
      await reset(app.server, socket);
      releaseHeld();
      await until('the end is recorded', () => sink.records.length === turn);
    }
    expect(runs).toBe(0);
    expect([...sink.ends.values()]).toEqual(
      Array.from({ length: MAX_QUEUED + 1 }, () => ['rejected aborted']),
    );
    expect((await app.send('/wipe', { method: 'POST' })).status).toBe(201);
  });

  it('records an outcome of each attempt where an interceptor runs the handler again', async () => {
    const app = await launch();
    for (let turn = 1; turn <= MAX_QUEUED; turn++) {
      expect((await app.send('/flaky', { method: 'POST' })).status).toBe(201);
      await until('both attempts are recorded', () => sink.records.length === 4 * turn);
    }
    expect([...sink.ends.values()]).toEqual(
      Array.from({ length: MAX_QUEUED }, () => [
        ['started', 'finished failed'],
        ['started', 'finished ok'],
      ]).flat(),
    );
  });
});
