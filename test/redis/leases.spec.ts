/* Leases of a concurrency limit over a Redis that pauses now and then: each lease that was granted is in use or given back. */
import { Controller, Get } from '@nestjs/common';
import { RateLimit } from '../../src/index.js';
import { createRedisStore, RedisQuotaStore } from '../../src/redis/index.js';
import { FASTIFY } from '../support/platforms.js';
import {
  closeAfterAll,
  describeWithRedis,
  pause,
  type RedisServer,
  startRedis,
  until,
} from '../support/redis.js';
import { CLIENTS } from '../support/redis-clients.js';
import { start } from '../support/start.js';

@Controller()
class Limited {
  @RateLimit({ limit: 5, algorithm: 'concurrency', key: 'global' })
  @Get()
  get(): string {
    return 'served';
  }
}

describeWithRedis('leases over a Redis that pauses', () => {
  let redis: RedisServer;
  beforeEach(async () => void (redis = await startRedis()));
  afterEach(() => redis.kill());

  const stores = [
    [
      'a URL',
      async (): Promise<RedisQuotaStore> => {
        const store = await createRedisStore(`redis://127.0.0.1:${redis.port}`);
        closeAfterAll(() => store.close());
        return store;
      },
    ],
    [
      'a node-redis client',
      async (): Promise<RedisQuotaStore> =>
        new RedisQuotaStore({ client: (await CLIENTS[1]![1]([redis.port])).client }),
    ],
  ] as const;

  it.each(stores)(
    'are all free again after pauses with one request in flight: %s',
    async (_title, connect) => {
      const app = await start(FASTIFY, {
        controllers: [Limited],
        options: { rateLimit: { limits: false, flood: false, store: await connect() } },
      });
      for (let round = 0; round < 12; round++) {
        redis.pause();
        const answer = app.send('/');
        await pause(150);
        redis.resume();
        expect((await answer).status).toBe(200);
        await until(async () => {
          app.clock.advance(1_000);
          return (await app.send('/')).header('RateLimit') !== undefined;
        });
      }
      // One request at a time: a lease that was not given back would count.
      await until(async () => /;r=4\b/.test((await app.send('/')).header('RateLimit') ?? ''));
    },
  );

  it.each(stores)('are all free again after a longer freeze: %s', async (_title, connect) => {
    const app = await start(FASTIFY, {
      controllers: [Limited],
      options: { rateLimit: { limits: false, flood: false, store: await connect() } },
    });
    expect((await app.send('/')).header('RateLimit')).toMatch(/;r=4\b/);
    redis.pause();
    for (let request = 0; request < 10; request++) {
      app.clock.advance(500);
      expect((await app.send('/')).status).toBe(200);
      await pause(200);
    }
    redis.resume();
    await until(async () => {
      app.clock.advance(1_000);
      await app.send('/');
      return app.logger.find('The rate-limit store answers again').length > 0;
    });
    await until(async () => /;r=4\b/.test((await app.send('/')).header('RateLimit') ?? ''));
  });
});
