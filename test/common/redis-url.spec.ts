import { AgentSecurityConfigError } from '../../src/index.js';
import { readRedisUrl } from '../../src/common/redis-url.js';
import { HelloController } from '../support/controllers.js';
import { EXPRESS, PLATFORMS } from '../support/platforms.js';
import { describeWithRedis, type RedisServer, startRedis, until } from '../support/redis.js';
import { start } from '../support/start.js';

const read = (value: string | undefined): string | undefined =>
  readRedisUrl(name => (name === 'REDIS_URL' ? value : undefined));

describe('REDIS_URL', () => {
  const good: [title: string, value: string][] = [
    ['a host', 'redis://localhost'],
    ['a port and a database', 'redis://127.0.0.1:6380/2'],
    ['TLS and a password', 'rediss://user:p%40ss@redis.example.com:6380/'],
    ['an IPv6 address', 'redis://[::1]:6379'],
  ];
  it.each(good)('accepts %s', (_title, value) => expect(read(` ${value} `)).toBe(value));

  it.each([undefined, '', '  '])('is not set as %p', value => expect(read(value)).toBeUndefined());

  const bad: [title: string, value: string][] = [
    ['no URL', 'localhost:6379'],
    ['another scheme', 'http://:s3cret@localhost:6379'],
    ['no host', 'redis://'],
    ['a word for a port', 'redis://:s3cret@localhost:port'],
    ['a word for a database', 'redis://:s3cret@localhost/main'],
    ['a password with a bare #', 'redis://:s3cret#x@localhost'],
    ['a password with a bare %', 'redis://:s3cret%x@localhost'],
  ];
  const others: [title: string, value: string, problem: string, remedy: string][] = [
    ['a URL of Sentinels', 'redis-sentinel://:s3cret@a:26379,b:26379/main', 'names Sentinels', 'sentinels:'],
    ['another scheme of Sentinels', 'redis+sentinel://a:26379/main/0', 'names Sentinels', 'sentinels:'],
    ['a URL of a Cluster', 'redis-cluster://:s3cret@a:7000', 'names several servers', 'new Cluster('],
    ['several hosts', 'redis://:s,3cret@a:7000,b:7000', 'names several servers', 'new Cluster('],
    ['a scheme of Valkey', 'valkeys://:s3cret@a:6379', 'scheme of Valkey', 'rediss://'],
  ];
  it.each(others)('rejects %s with its remedy, and never shows it', (_title, value, problem, remedy) => {
    const caught = jest.fn();
    try {
      read(value);
    } catch (error) {
      caught(String(error));
    }
    expect(caught).toHaveBeenCalledWith(expect.stringContaining(problem));
    expect(caught).toHaveBeenCalledWith(expect.stringContaining(remedy));
    expect(caught).not.toHaveBeenCalledWith(expect.stringContaining('3cret'));
  });

  it('accepts a comma in a password', () => expect(read('redis://:a,b@localhost')).toBeDefined());

  it.each(bad)('rejects %s, and never shows it', (_title, value) => {
    let thrown: unknown;
    try {
      read(value);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AgentSecurityConfigError);
    const error = thrown as AgentSecurityConfigError;
    expect(error.option).toBe('REDIS_URL');
    expect(error.message).not.toContain('s3cret');
    expect(error.received).toBeUndefined();
  });
});

describeWithRedis('an app with REDIS_URL', () => {
  let redis: RedisServer;
  const saved = process.env['REDIS_URL'];
  beforeAll(async () => void (redis = await startRedis()));
  beforeEach(() => redis.command('FLUSHALL'));
  afterEach(() => {
    if (saved === undefined) delete process.env['REDIS_URL'];
    else process.env['REDIS_URL'] = saved;
  });
  /** Connections beside redis-cli's own. */
  const connections = async (): Promise<number> =>
    (await redis.command('CLIENT', 'LIST')).split('\n').filter(line => !line.includes('cmd=client|list'))
      .length;

  it.each(PLATFORMS)('counts there and hangs up with the app, on %s', async (_title, platform) => {
    process.env['REDIS_URL'] = redis.url;
    const [one, other] = [
      await start(platform, { controllers: [HelloController] }),
      await start(platform, { controllers: [HelloController] }),
    ];
    expect((await one.send('/')).header('X-RateLimit-Remaining')).toBe('9');
    expect((await other.send('/')).header('X-RateLimit-Remaining')).toBe('8');
    expect(await redis.command('--scan')).toBe('asec:{127.0.0.1}all');
    expect(await connections()).toBe(2);
    await one.close();
    await until(async () => (await connections()) === 1);
    await other.close();
    await until(async () => (await connections()) === 0);
  });

  it('gives way to a store of the options', async () => {
    process.env['REDIS_URL'] = redis.url;
    const store = { consume: async () => ({ granted: true, policyStates: [] }) };
    const app = await start(EXPRESS, { controllers: [HelloController], options: { rateLimit: { store } } });
    expect((await app.send('/')).status).toBe(200);
    expect(await redis.command('--scan')).toBe('');
    expect(await connections()).toBe(0);
  });

  it('is not read where nothing is limited', async () => {
    process.env['REDIS_URL'] = 'no URL';
    const app = await start(EXPRESS, { controllers: [HelloController], options: { rateLimit: false } });
    expect((await app.send('/')).status).toBe(200);
  });

  it('stops the start-up if it is no URL, and shows no password', async () => {
    process.env['REDIS_URL'] = 'redis://:s3cret@host:port';
    const error: unknown = await start(EXPRESS, {}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AgentSecurityConfigError);
    expect(String(error)).toMatch(/REDIS_URL is not the URL of a Redis server/);
    expect(String(error)).not.toContain('s3cret');
  });
});
