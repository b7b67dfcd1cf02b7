/* The dashboard of several processes over Redis, and over one that dies. */
import { Redis } from 'ioredis';
import { TIMERS } from '../../src/index.js';
import { createRedisStore } from '../../src/redis/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { FASTIFY } from '../support/platforms.js';
import { closeAfterAll, describeWithRedis, type RedisServer, startRedis, until } from '../support/redis.js';
import { start } from '../support/start.js';
import { ManualTimers } from '../support/timers.js';

describeWithRedis('the dashboard over Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis.kill());

  async function connect(prefix = 'asec:') {
    const store = await createRedisStore(redis.url, { prefix });
    closeAfterAll(() => store.close());
    await store.connect();
    return store;
  }

  it('keeps the texts of all names for an hour, 64 at most', async () => {
    const store = await connect('a:');
    expect(await store.share('topic', 'one', 'first')).toEqual(['first']);
    expect((await store.share('topic', 'two', 'a:b:c \u{1F4A3}')).toSorted()).toEqual([
      'a:b:c \u{1F4A3}',
      'first',
    ]);
    expect(await store.share('other', 'one', 'x')).toEqual(['x']);
    for (let count = 0; count < 70; count++) await store.share('topic', `name-${count}`, String(count));
    expect(await store.share('topic', 'one', 'last')).toHaveLength(64);
    const client = new Redis(redis.url);
    const keys = await client.keys('a:*');
    for (const key of keys) {
      expect(await client.pttl(key)).toBeGreaterThan(3_500_000);
      for (const name of await client.hkeys(key))
        await client.hset(key, name, `${Date.now() - 3_700_000}:old`);
    }
    expect(await store.share('topic', 'one', 'fresh')).toEqual(['fresh']);
    expect(await Promise.all(keys.map(key => client.hlen(key)))).toContain(1);
    await client.quit();
  });

  it('deletes fields of another form, and shares the others', async () => {
    const store = await connect('hostile:');
    await store.share('topic', 'one', 'first');
    const client = new Redis(redis.url);
    const [key] = (await client.keys('hostile:*')) as [string];
    const ahead = `${Date.now() + 3_600_000}:ahead`;
    const wrong = { empty: '', text: 'x', soon: 'soon:x', nan: 'nan:x', inf: 'inf:x', ahead };
    await client.hset(key, { ...wrong, other: `${Date.now()}:second` });
    expect((await store.share('topic', 'one', 'first')).toSorted()).toEqual(['first', 'second']);
    expect((await client.hkeys(key)).toSorted()).toEqual(['one', 'other']);
    await client.quit();
  });

  it('shows all processes, and this process only once Redis is gone', async () => {
    const keys = new TestKeys();
    const { key } = keys.add('operator', { scopes: ['ops'] });
    const startOne = async () => {
      const timers = new ManualTimers();
      const running = await start(FASTIFY, {
        options: {
          auth: { apiKeys: { store: keys.store, secret: SECRET } },
          dashboard: true,
          rateLimit: { store: await connect() },
        },
        extras: { providers: [{ provide: TIMERS, useValue: timers }] },
      });
      const read = async () =>
        (await running.send('/security/data', { headers: { Authorization: `Bearer ${key}` } })).json();
      return { ...running, read, timers };
    };
    const [first, second] = [await startOne(), await startOne()];
    await second.send('/nothing', { headers: { 'X-Request-ID': 'elsewhere' } });
    await until(async () => {
      second.timers.advance(10_000);
      first.timers.advance(10_000);
      const { rejections, sharing, processes } = await first.read();
      return (
        sharing === 'on' && processes === 2 && rejections.some((row: any) => row.requestId === 'elsewhere')
      );
    });
    redis.kill();
    let last: any;
    await until(async () => {
      first.timers.advance(10_000);
      last = await first.read();
      return last.sharing === 'failing' && last.health[0].state === 'failing';
    });
    expect(last.rejections).toEqual([]);
  });
});
