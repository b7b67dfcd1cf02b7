/* An app whose Redis fails in every possible way: each request is answered in time, local limits apply, and the app recovers. */
import { Controller, Get } from '@nestjs/common';
import { type AgentSecurityOptions, type RateLimitOptions, SecurityEvents } from '../../src/index.js';
import { type ConnectedRedisStore, createRedisStore, RedisQuotaStore } from '../../src/redis/index.js';
import { freePort } from '../support/free-port.js';
import type { Answer } from '../support/http.js';
import { EXPRESS, FASTIFY, type Platform } from '../support/platforms.js';
import {
  closeAfterAll,
  describeWithRedis,
  pause,
  type RedisServer,
  startLine,
  startRedis,
  until,
} from '../support/redis.js';
import { CLIENTS } from '../support/redis-clients.js';
import { type RunningApp, start } from '../support/start.js';

@Controller()
class HelloController {
  @Get() get(): object {
    return { hello: 'world' };
  }
}

const LIMIT = 5;
/** Decisions that wait for a failing store until the circuit opens, and the one that then probes it. */
const MAX_CALLS = 5 + 1;

type Store = RedisQuotaStore;
type Connect = (port: number) => Promise<Store>;

const throughClient =
  (index: number): Connect =>
  async port =>
    new RedisQuotaStore({ client: (await CLIENTS[index]![1]([port])).client });
const throughUrl: Connect = async port => {
  const store: ConnectedRedisStore = await createRedisStore(`redis://127.0.0.1:${port}`);
  closeAfterAll(() => store.close());
  return store;
};

const apps: [title: string, platform: Platform, connect: Connect][] = [
  ['Express, an ioredis client as it comes', EXPRESS, throughClient(0)],
  ['Fastify, a node-redis client as it comes', FASTIFY, throughClient(1)],
  ['Fastify, a URL', FASTIFY, throughUrl],
];

/** The decisions that a store was asked for, and those that it has not made yet. */
function countCalls(store: Store): { total: number; pending: number } {
  const calls = { total: 0, pending: 0 };
  const consume = store.consume.bind(store);
  store.consume = charges => {
    calls.total++;
    calls.pending++;
    return consume(charges).finally(() => calls.pending--);
  };
  return calls;
}

interface Failure {
  /** Whether calls stay open: the app must answer before them. */
  readonly isSilent?: boolean;
  fail(redis: RedisServer): Promise<unknown> | void;
  heal(redis: RedisServer): Promise<unknown> | void;
}

const failures: [title: string, failure: Failure][] = [
  ['killed', { fail: redis => redis.kill(), heal: redis => redis.start() }],
  ['paused', { isSilent: true, fail: redis => redis.pause(), heal: redis => redis.resume() }],
  [
    'busy',
    {
      fail: redis => {
        void redis.command('DEBUG', 'SLEEP', '3').catch(() => undefined);
        return pause(100);
      },
      heal: () => undefined,
    },
  ],
  [
    'full',
    {
      fail: redis => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
      heal: redis => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
    },
  ],
  [
    'read-only',
    {
      fail: async redis => redis.command('REPLICAOF', '127.0.0.1', String(await freePort())),
      heal: redis => redis.command('REPLICAOF', 'NO', 'ONE'),
    },
  ],
];

describeWithRedis('an app whose Redis fails', () => {
  let redis: RedisServer;
  beforeEach(async () => void (redis = await startRedis()));
  afterEach(() => redis.kill());

  const launch = async (
    platform: Platform,
    store: Store,
    rateLimit: Partial<RateLimitOptions> = {},
  ): Promise<RunningApp> => {
    const options: AgentSecurityOptions = {
      trustProxy: 'loopback',
      rateLimit: { limits: `${LIMIT}/minute`, flood: false, store, ...rateLimit },
    };
    return start(platform, { options, controllers: [HelloController] });
  };
  const get = (app: RunningApp, client: string): Promise<Answer> =>
    app.send('/', { headers: { 'X-Forwarded-For': client } });
  const isCounted = async (client: string): Promise<boolean> =>
    (await redis.command('EXISTS', `asec:{${client}}all`)).includes('1');

  describe.each(apps)('%s', (_title, platform, connect) => {
    it.each(failures)(
      '%s: answers in time, limits locally, logs once, recovers',
      async (_name, { isSilent = false, fail, heal }) => {
        const store = await connect(redis.port);
        const calls = countCalls(store);
        const app = await launch(platform, store);
        const changes: string[] = [];
        app.app.get(SecurityEvents).on('limit.store', ({ state }) => changes.push(state));
        expect((await get(app, '192.0.2.1')).header('X-RateLimit-Remaining')).toBe('4');
        expect(await isCounted('192.0.2.1')).toBe(true);

        await fail(redis);
        calls.total = 0;
        const statuses: number[] = [];
        for (let request = 0; request < LIMIT + 3; request++) {
          statuses.push((await get(app, '192.0.2.2')).status);
          // No call has ended: the app did not wait for the timeout of the client.
          expect(isSilent ? calls.pending : calls.total).toBe(calls.total);
        }
        expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
        // The circuit is open: requests do not wait for the store.
        expect(calls.total).toBeLessThanOrEqual(MAX_CALLS);
        for (let request = 0; request < 10; request++) await get(app, '192.0.2.3');
        expect(calls.total).toBeLessThanOrEqual(MAX_CALLS);
        expect(app.logger.find('The rate-limit store fails', 'error')).toHaveLength(1);

        await heal(redis);
        await until(async () => {
          app.clock.advance(1_000);
          expect((await get(app, '192.0.2.4')).status).toBeLessThan(500);
          return app.logger.find('The rate-limit store answers again').length > 0;
        });
        expect((await get(app, '192.0.2.5')).header('X-RateLimit-Remaining')).toBe('4');
        expect(await isCounted('192.0.2.5')).toBe(true);
        expect(app.logger.find('The rate-limit store fails', 'error')).toHaveLength(1);
        expect(app.logger.find('The rate-limit store answers again')).toHaveLength(1);
        expect(app.logger.find('', 'error')).toHaveLength(1);
        expect(changes).toEqual(['failing', 'healed']);
      },
    );

    it('restarted empty between two requests: only the counts are lost', async () => {
      const app = await launch(platform, await connect(redis.port));
      await get(app, '192.0.2.1');
      await redis.kill();
      await redis.start();
      await until(async () => {
        app.clock.advance(1_000);
        expect((await get(app, '192.0.2.6')).status).toBeLessThan(500);
        return isCounted('192.0.2.6');
      });
      expect(await isCounted('192.0.2.1')).toBe(false);
    });

    it("answers 503 with 'deny', and 200 with 'allow'", async () => {
      const store = await connect(redis.port);
      const denying = await launch(platform, store, { onStoreError: 'deny' });
      const allowing = await launch(platform, store, { onStoreError: 'allow' });
      const calls = countCalls(store);
      await redis.kill();
      for (let request = 0; request < LIMIT + 3; request++) {
        const denied = await get(denying, '192.0.2.1');
        expect(denied.status).toBe(503);
        expect(denied.header('Retry-After')).toBe('1');
        expect(denied.json()).toMatchObject({ code: 'limits_unavailable', retryable: true });
        expect((await get(allowing, '192.0.2.1')).status).toBe(200);
      }
      expect(calls.total).toBeLessThanOrEqual(2 * MAX_CALLS);
    });
  });

  const onErrors: ['local' | 'allow' | 'deny', number[]][] = [
    ['local', [200, 200, 200, 200, 200, 429, 429]],
    ['allow', [200, 200, 200, 200, 200, 200, 200]],
    ['deny', [503, 503, 503, 503, 503, 503, 503]],
  ];
  it.each(onErrors)(
    "behind a slow line, with '%s': answers in time, and recovers",
    async (onStoreError, expected) => {
      const line = await startLine(redis.port);
      const store = await throughUrl(line.port);
      const app = await launch(FASTIFY, store, { onStoreError });
      expect((await get(app, '192.0.2.1')).header('X-RateLimit-Remaining')).toBe('4');
      line.delayMs = 400;
      const calls = countCalls(store);
      const statuses: number[] = [];
      for (let request = 0; request < LIMIT + 2; request++)
        statuses.push((await get(app, '192.0.2.2')).status);
      expect(statuses).toEqual(expected);
      expect(calls.total).toBeLessThanOrEqual(MAX_CALLS);
      expect(app.logger.find('The rate-limit store fails', 'error')).toHaveLength(1);
      line.delayMs = 0;
      await until(async () => {
        app.clock.advance(1_000);
        await get(app, '192.0.2.4');
        return app.logger.find('The rate-limit store answers again').length > 0;
      });
      expect((await get(app, '192.0.2.5')).header('X-RateLimit-Remaining')).toBe('4');
    },
  );

  it('limits locally from the first request if Redis never answered', async () => {
    await redis.kill();
    const app = await launch(EXPRESS, await throughUrl(redis.port));
    const statuses: number[] = [];
    for (let request = 0; request < LIMIT + 1; request++) statuses.push((await get(app, '192.0.2.2')).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
  });
});
