/* Shutdown: responses end first, then outcomes are recorded and leases released, then sinks and stores close. */
import { Controller, Get } from '@nestjs/common';
import {
  AgentTool,
  type AgentSecurityOptions,
  type AuditLine,
  type AuditSink,
  type QuotaStore,
  RateLimit,
  TIMERS,
} from '../../src/index.js';
import { until } from '../support/leaving.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';
import { ManualTimers } from '../support/timers.js';

const CALLS = 15;

let finish: (() => void)[] = [];
const hold = (): Promise<void> => new Promise(resolve => finish.push(resolve));
const letGo = (): void => finish.splice(0).forEach(go => go());

@Controller()
class Routes {
  @AgentTool('move', { impact: 'medium' })
  @Get('move')
  async move(): Promise<string> {
    await hold();
    return 'moved';
  }

  @AgentTool('wipe', { impact: 'high' })
  @Get('wipe')
  async wipe(): Promise<string> {
    await hold();
    return 'wiped';
  }

  @RateLimit({ limit: 100, algorithm: 'concurrency', key: 'global' })
  @Get('concurrent')
  async concurrent(): Promise<string> {
    await hold();
    return 'served';
  }
}

/** Tells what reaches it, in order. */
class OrderedSink implements AuditSink {
  readonly name = 'ordered';
  readonly order: string[] = [];

  write(lines: readonly AuditLine[]): void {
    this.order.push(...lines.map(({ record: { event, outcome } }) => [event, outcome].join(' ').trim()));
  }

  close(): void {
    this.order.push('closed');
  }
}

afterEach(letGo);

describe.each(PLATFORMS)('app.close() on %s', (_title, platform) => {
  let sink: OrderedSink;
  let timers: ManualTimers;
  const launch = (options: AgentSecurityOptions = {}, nest: object = {}): Promise<RunningApp> => {
    finish = [];
    sink = new OrderedSink();
    timers = new ManualTimers();
    return start(platform, {
      controllers: [Routes],
      nest,
      options: { rateLimit: { limits: false, flood: false }, audit: { sinks: [sink] }, ...options },
      extras: { providers: [{ provide: TIMERS, useValue: timers }] },
    });
  };
  const begin = async (app: RunningApp, path: string): Promise<readonly Promise<number>[]> => {
    const answers = Array.from({ length: CALLS }, () =>
      app.send(path).then(
        ({ status }) => status,
        () => 0,
      ),
    );
    await until('all calls are under way', () => finish.length === CALLS);
    return answers;
  };
  const all = (what: string): string[] => Array.from({ length: CALLS }, () => what);

  it('lets calls end that are under way, and records them before the sink is closed', async () => {
    const app = await launch();
    const answers = await begin(app, '/move');
    const closing = app.app.close();
    await until('the server has stopped listening', () => !app.app.getHttpServer().listening);
    letGo();
    await closing;
    expect(await Promise.all(answers)).toEqual(Array.from({ length: CALLS }, () => 200));
    expect(sink.order).toEqual([...all('finished ok'), 'closed']);
  });

  it.each([
    ['move', []],
    ['wipe', all('started')],
  ] as const)(
    'cuts off calls of %s that are under way at the end of its time, and records them',
    async (tool, started) => {
      const app = await launch();
      const answers = await begin(app, `/${tool}`);
      let isClosed = false;
      const closing = app.app.close().then(() => (isClosed = true));
      await until('its time runs', () => timers.size > 0);
      timers.advance(7_999);
      await new Promise(resolve => setImmediate(resolve));
      expect(isClosed).toBe(false);
      timers.advance(1);
      await closing;
      expect(await Promise.all(answers)).toEqual(Array.from({ length: CALLS }, () => 0));
      expect(sink.order).toEqual([...started, ...all('finished aborted'), 'closed']);
      expect(app.logger.find('15 connections were still open', 'warn')).toHaveLength(1);
    },
  );

  // The adapter of Fastify ignores forceCloseConnections before Nest 12.1.
  const cutsOff = platform.name === 'Express' || 'closeOpenConnections' in platform.createAdapter();
  (cutsOff ? describe : describe.skip)('with forceCloseConnections', () => {
    it('records calls whose connections Nest itself cuts off', async () => {
      const app = await launch({}, { forceCloseConnections: true });
      await begin(app, '/move');
      await app.app.close();
      expect(sink.order).toEqual([...all('finished aborted'), 'closed']);
    });
  });

  it('takes as long as timeout.shutdown says', async () => {
    const app = await launch({ timeout: { shutdown: '1s' } });
    await begin(app, '/move');
    const closing = app.app.close();
    await until('its time runs', () => timers.size > 0);
    timers.advance(1_000);
    await closing;
    expect(sink.order).toEqual([...all('finished aborted'), 'closed']);
  });

  it.each([
    ['whose handlers end', letGo],
    ['whose handlers never end', () => timers.advance(8_000)],
  ])('has released the leases of a shared store when it is closed: %s', async (_case, end) => {
    let held = 0;
    let isOpen = true;
    const store: QuotaStore & { onApplicationShutdown?(): void } = {
      consume: async charges => {
        held++;
        const policy = charges[0]!.policies[0]!;
        return { granted: true, policyStates: [{ policy, remaining: 1, resetMs: 0, violated: false }] };
      },
      settle: async (charges, units) => {
        // Later than the app's other hooks.
        for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve));
        if (isOpen) held += units;
        const policy = charges[0]!.policies[0]!;
        return { granted: true, policyStates: [{ policy, remaining: 1, resetMs: 0, violated: false }] };
      },
    };
    const app = await launch({ rateLimit: { limits: false, flood: false, store } });
    await begin(app, '/concurrent');
    expect(held).toBe(CALLS);
    const closing = app.app.close();
    await until('its time runs', () => timers.size > 0);
    end();
    await closing;
    isOpen = false;
    expect(held).toBe(0);
  });

  it('leaves no timer behind', async () => {
    const app = await launch();
    await app.app.close();
    expect(timers.size).toBe(0);
  });
});
