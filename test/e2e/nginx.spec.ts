/* The nginx configuration of docs/guides/proxies.md, in a real nginx with TLS. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { Controller, Get, type MessageEvent, Sse } from '@nestjs/common';
import { map, type Observable, take, timer } from 'rxjs';
import { WebSocket, WebSocketServer } from 'ws';
import { resolveOptions } from '../../src/resolve-options.js';
import type { AgentSecurityOptions } from '../../src/index.js';
import { freePort } from '../support/free-port.js';
import { request } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { selfSigned } from '../support/self-signed.js';
import { type RunningApp, start } from '../support/start.js';

const GUIDE = readFileSync(resolve(__dirname, '../../docs/guides/proxies.md'), 'utf8');
const block = (title: string): string => GUIDE.split(`title=${title}\n`)[1]!.split('```')[0]!;

const isInstalled = spawnSync('nginx', ['-v'], { stdio: 'ignore' }).status === 0;
const describeWithNginx = isInstalled || process.env['REQUIRE_ALL_SUITES'] ? describe : describe.skip;

@Controller()
class HelloController {
  @Get()
  hello(): string {
    return 'Hello World!';
  }

  @Sse('stream')
  stream(): Observable<MessageEvent> {
    return timer(0, 50).pipe(
      take(2),
      map(index => ({ data: String(index) })),
    );
  }
}

let folder = '';
let nginx: ChildProcess | undefined;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  mkdirSync(join(folder, 'logs'));
  const { key, cert } = selfSigned();
  writeFileSync(join(folder, 'key.pem'), key);
  writeFileSync(join(folder, 'cert.pem'), cert);
});

afterEach(async () => {
  if (nginx === undefined || nginx.exitCode !== null) return;
  const ended = new Promise(resolve => nginx!.once('exit', resolve));
  nginx.kill('SIGTERM');
  await ended;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts nginx with the guide's configuration. @returns its port */
async function startNginx(appPort: number): Promise<number> {
  const port = await freePort();
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    name => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/logs/error.log;
events {}
http {
  access_log off;
  ${paths.join(' ')}
  ${block('nginx.conf')
    .replace('listen 443', `listen 127.0.0.1:${port}`)
    .replaceAll('/etc/nginx/tls', folder)
    .replace('127.0.0.1:3000', `127.0.0.1:${appPort}`)}
}
`,
  );
  nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  for (;;) {
    const isUp = await request(port, { tls: true, path: '/up', headers: { Host: 'api.example.com' } }).then(
      () => true,
      () => false,
    );
    if (isUp) return port;
    if (nginx.exitCode !== null) throw new Error(readFileSync(join(folder, 'logs/error.log'), 'utf8'));
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

describeWithNginx.each(PLATFORMS)('on %s', (_title, platform) => {
  const launch = async (): Promise<{ app: RunningApp; port: number }> => {
    const env = parseEnv(block('.env')) as Record<string, string>;
    expect(() => resolveOptions({}, name => env[name])).not.toThrow();
    // The clients of this test come from loopback too, so the proxy is trusted as one hop in place of that network.
    const options: AgentSecurityOptions = { hosts: env['ALLOWED_HOSTS']!.split(','), trustProxy: 1 };
    const app = await start(platform, { controllers: [HelloController], options });
    return { app, port: await startNginx(app.port) };
  };

  test('the app knows the scheme, the host and the client, whatever the client claims', async () => {
    const { port } = await launch();
    const forged = { 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Proto': 'http', Forwarded: 'for=7.7.7.7' };
    const send = (headers: Record<string, string>) =>
      request(port, { tls: true, path: '/', headers: { Host: 'api.example.com', ...headers } });
    const first = await send({});
    expect([first.status, first.header('Strict-Transport-Security')]).toEqual([
      200,
      'max-age=31536000; includeSubDomains',
    ]);
    // One quota: the claimed addresses make no other client of it. The probe of startNginx() was the first request.
    expect(first.header('X-RateLimit-Remaining')).toBe('8');
    const second = await send(forged);
    expect(second.header('X-RateLimit-Remaining')).toBe('7');
    expect(second.header('Strict-Transport-Security')).toBeDefined();
    const foreign = await send({ Host: 'evil.example' });
    expect(foreign.status).toBe(421);
  });

  test('a stream comes through', async () => {
    const { port } = await launch();
    const answer = await request(port, { tls: true, path: '/stream', headers: { Host: 'api.example.com' } });
    expect(answer.body.match(/^data: .*$/gm)).toEqual(['data: 0', 'data: 1']);
  });

  test('the port of the client arrives, so that a page on it has the same origin', async () => {
    const { port } = await launch();
    const headers = { Host: `api.example.com:${port}`, Origin: `https://api.example.com:${port}` };
    const post = await request(port, { tls: true, path: '/', method: 'POST', headers });
    // No route takes it, and the check of the origin accepts it.
    expect([post.status, post.json()]).toMatchObject([404, { code: 'not_found' }]);
    const other = { ...headers, Origin: 'https://api.example.com:1' };
    expect((await request(port, { tls: true, path: '/', method: 'POST', headers: other })).status).toBe(403);
  });

  test('a WebSocket comes through', async () => {
    const env = parseEnv(block('.env')) as Record<string, string>;
    const options: AgentSecurityOptions = { hosts: env['ALLOWED_HOSTS']!, trustProxy: 1 };
    const app = await start(platform, { options });
    const sockets = new WebSocketServer({ server: app.app.getHttpServer(), path: '/socket' });
    const port = await startNginx(app.port);
    const client = new WebSocket(`wss://127.0.0.1:${port}/socket`, {
      rejectUnauthorized: false,
      headers: { Host: 'api.example.com' },
    });
    const [socket] = (await once(sockets, 'connection')) as [WebSocket];
    const heard = once(client, 'message');
    socket.send('through nginx');
    expect(String((await heard)[0])).toBe('through nginx');
    client.terminate();
    sockets.close();
  });
});
