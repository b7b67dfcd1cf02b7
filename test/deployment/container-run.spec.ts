/* The compose file of the sample without a daemon: nginx, Redis, and the app from the files and with the command of its image. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { type Answer, request, type RequestOptions } from '../support/http.js';
import { until } from '../support/redis.js';
import { ROOT, SAMPLE } from './container-files.js';
import * as container from './container.js';
import { isNginxInstalled } from './deployment.js';

const hasRedis = existsSync('/usr/bin/redis-server') || process.env['REQUIRE_ALL_SUITES'] !== undefined;
const describeDeployment = isNginxInstalled && hasRedis ? describe : describe.skip;

let image = '';
beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', SAMPLE]);
  image = container.createImage();
}, 120_000);

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();

describeDeployment.each(['express', 'fastify'])('on %s', platform => {
  test('the containers serve, count together, and end', async () => {
    const before = filesOf(image);
    const ports = {
      app: await freePort(),
      nginx: await freePort(),
      redis: await container.startRedisService(),
    };
    const env = { ...container.variablesOf(ports), PLATFORM: platform };
    expect(await container.checkHealth(env)).toBe(1);
    const app = container.startApp(image, env);
    await until(async () => {
      if (app.exitCode !== null) throw new Error('The app ended');
      return (await container.checkHealth(env)) === 0;
    }, 20_000);
    container.startNginxService(ports.nginx, ports.app);
    const send = (path: string, options: Partial<RequestOptions> = {}): Promise<Answer> =>
      request(ports.nginx, { path, localAddress: '127.0.0.7', ...options });
    await until(() =>
      send('/healthz').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );

    const host = `localhost:${ports.nginx}`;
    const tools = await send('/tools', { headers: { Host: host } });
    expect([tools.status, tools.header('X-RateLimit-Remaining')]).toEqual([200, '9']);
    // The client is the peer of nginx, whatever it claims, and its count is in Redis.
    const forged = await send('/tools', { headers: { Host: host, 'X-Forwarded-For': '6.6.6.6' } });
    expect(forged.header('X-RateLimit-Remaining')).toBe('8');
    expect(await container.redisCommand(ports.redis, 'DBSIZE')).not.toBe('0');
    const other = await send('/tools', { headers: { Host: host }, localAddress: '127.0.0.8' });
    expect(other.header('X-RateLimit-Remaining')).toBe('9');
    expect((await send('/tools', { headers: { Host: 'evil.example' } })).status).toBe(421);
    // The port is part of the origin, and nginx passes it on.
    const sameOrigin = { Host: host, Origin: `http://${host}`, 'Content-Type': 'application/json' };
    const answer = await send('/answers', { headers: sameOrigin, body: '{"prompt":"6 * 7"}' });
    expect([answer.status, answer.body]).toEqual([200, expect.stringContaining('42.')]);
    const metadata = await send('/.well-known/oauth-authorization-server', { headers: { Host: host } });
    expect(metadata.json().issuer).toBe(`http://${host}`);
    const docs = await send('/docs/', { headers: { Host: host } });
    expect([docs.status, docs.header('Content-Type')]).toEqual([200, expect.stringContaining('text/html')]);

    const ended = once(app, 'exit');
    app.kill('SIGTERM');
    expect((await ended)[1]).toBe('SIGTERM');
    expect(await container.checkHealth(env)).toBe(1);
    expect(filesOf(image)).toEqual(before);
    expect(existsSync(env.AUDIT_FILE)).toBe(true);
  }, 60_000);
});
