/* Connections to real servers that cannot be used: the log says why, and never shows the password. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedisKeyStore, createRedisStore } from '../../src/redis/index.js';
import { describeRedisError } from '../../src/redis/open-client.js';
import { HomeController } from '../support/controllers.js';
import { freePort } from '../support/free-port.js';
import { PLATFORMS } from '../support/platforms.js';
import { closeAfterAll, describeWithRedis, startRedis, until } from '../support/redis.js';
import { selfSigned } from '../support/self-signed.js';
import { start } from '../support/start.js';

const PASSWORD = 'correct-horse-9';

jest.mock('ioredis', () => {
  if (process.env['TEST_REDIS_CLIENT'] === 'redis')
    throw Object.assign(new Error('not installed'), { code: 'MODULE_NOT_FOUND' });
  return jest.requireActual('ioredis');
});

type Row = readonly [title: string, url: () => string, says: string];

describeWithRedis('a connection that cannot be used', () => {
  const ports = { plain: 0, locked: 0, tls: 0, http: 0, none: 0 };
  const folder = mkdtempSync(join(tmpdir(), 'redis-tls-'));

  beforeAll(async () => {
    const { key, cert } = selfSigned();
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    writeFileSync(keyFile, key);
    writeFileSync(certFile, cert);
    ports.tls = await freePort();
    ports.none = await freePort();
    ports.plain = (await startRedis()).port;
    await startRedis(
      '--tls-port',
      String(ports.tls),
      '--tls-cert-file',
      certFile,
      '--tls-key-file',
      keyFile,
      '--tls-ca-cert-file',
      certFile,
      '--tls-auth-clients',
      'no',
    );
    const locked = await startRedis();
    await locked.command('CONFIG', 'SET', 'requirepass', PASSWORD);
    ports.locked = locked.port;
    const http = createServer((_request, response) => response.end()).listen(0, '127.0.0.1');
    await once(http, 'listening');
    ports.http = (http.address() as AddressInfo).port;
    closeAfterAll(() => http.close());
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const rows: Row[] = [
    [
      'a wrong password',
      () => `redis://:wrong-${PASSWORD}@127.0.0.1:${ports.locked}`,
      'rejects the user name or the password',
    ],
    ['no password', () => `redis://127.0.0.1:${ports.locked}`, 'requires a password, and the URL has none'],
    ['a database that does not exist', () => `redis://127.0.0.1:${ports.plain}/99`, 'has no database 99'],
    [
      'TLS to a plain port',
      () => `rediss://:${PASSWORD}@127.0.0.1:${ports.plain}`,
      'does not speak TLS, write redis://',
    ],
    [
      'a plain connection to a TLS port',
      () => `redis://:${PASSWORD}@127.0.0.1:${ports.tls}`,
      'speaks TLS, write rediss://',
    ],
    [
      'a certificate that is not trusted',
      () => `rediss://:${PASSWORD}@127.0.0.1:${ports.tls}`,
      'is not trusted',
    ],
    ['a server of another protocol', () => `redis://127.0.0.1:${ports.http}`, 'the protocol of Redis'],
    ['no server at the port', () => `redis://127.0.0.1:${ports.none}`, 'nothing listens'],
  ];

  describe.each(['ioredis', 'redis'])('by %s', client => {
    beforeAll(() => {
      process.env['TEST_REDIS_CLIENT'] = client;
      jest.resetModules();
    });
    afterAll(() => delete process.env['TEST_REDIS_CLIENT']);

    it.each(rows)('%s fails each decision and says why', async (_title, url, says) => {
      const store = await createRedisStore(url());
      try {
        const reasonOf = (): Promise<string> =>
          store.reset([CHARGE]).then(
            () => 'counted',
            (error: Error) => error.message,
          );
        await until(async () => (await reasonOf()).includes(says));
        const reason = await reasonOf();
        expect(reason).toContain('Redis cannot be used');
        expect(reason).not.toContain(PASSWORD);
      } finally {
        store.close();
      }
    });
  });

  it('counts nothing in another database', async () => {
    const [other, zero] = await Promise.all(
      [99, 0].map(database => createRedisStore(`redis://127.0.0.1:${ports.plain}/${database}`)),
    );
    try {
      await expect(other!.reset([CHARGE])).rejects.toThrow('has no database 99');
      await expect(zero!.reset([CHARGE])).resolves.toBeUndefined();
    } finally {
      other!.close();
      zero!.close();
    }
  });

  it('is reported by the key store', async () => {
    const store = await createRedisKeyStore(`redis://:wrong-${PASSWORD}@127.0.0.1:${ports.locked}`);
    const warn = jest.fn();
    await store.open({ warn, revoked: jest.fn() });
    store.close();
    expect(warn.mock.calls.flat()[0]).toContain('rejects the user name or the password');
    expect(warn.mock.calls.flat().join()).not.toContain(PASSWORD);
  });

  describe.each(PLATFORMS)('REDIS_URL on %s', (_title, platform) => {
    it.each(rows.slice(0, 5))('with %s: the log says so, without the password', async (_name, url, says) => {
      process.env['REDIS_URL'] = url();
      try {
        const app = await start(platform, { controllers: [HomeController] });
        expect((await app.send('/')).status).toBe(200);
        const lines = app.logger.find('The rate-limit store fails', 'error');
        expect(lines).toHaveLength(1);
        expect(lines[0]!.message).toContain(says);
        expect(app.logger.text).not.toContain(PASSWORD);
      } finally {
        delete process.env['REDIS_URL'];
      }
    });
  });
});

const CHARGE = { key: 'k', partitionKey: 'k', policies: [], cost: 1 };

describe('describeRedisError', () => {
  it.each([
    [
      new Error(`ERR unknown command 'AUTH', with args beginning with: '${PASSWORD}'`),
      'the connection fails (ERR)',
    ],
    [new Error(PASSWORD), 'the connection fails'],
    [undefined, 'the connection fails'],
    ['text', 'the connection fails'],
    [Object.assign(new Error('x'), { code: 'EHOSTUNREACH' }), 'the connection fails (EHOSTUNREACH)'],
  ])('shows only the code of %p', (error, cause) => {
    expect(describeRedisError(error, 'redis://a')).toBe(cause);
  });
});
