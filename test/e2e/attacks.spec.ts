/* What attackers send, against the default options or the fewest that the attack needs. */
import { Body, Controller, Get, HttpException, Post } from '@nestjs/common';
import { type AgentSecurityOptions, RateLimit } from '../../src/index.js';
import { exchange } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

let ran = 0;
beforeEach(() => {
  ran = 0;
});

@Controller()
class Routes {
  @Get()
  root(): object {
    ran++;
    return {};
  }

  @Post()
  change(@Body() body: unknown): object {
    ran++;
    return { body: body ?? null };
  }

  @Get('fails')
  fails(): never {
    throw new Error('unforeseen');
  }

  @Get('admin')
  @RateLimit('1/hour')
  admin(): object {
    ran++;
    throw new HttpException('no entry', 403);
  }
}

const HOST = 'api.example.com';
const ORIGIN = 'https://app.example.com';
const LISTED: AgentSecurityOptions = { hosts: [HOST], cors: { origins: [ORIGIN] } };

describe.each(PLATFORMS)('attacks on %s', (_title, platform) => {
  const launch = (options?: AgentSecurityOptions): Promise<RunningApp> =>
    start(platform, { controllers: [Routes], ...(options === undefined ? {} : { options }) });

  const raw = async (app: RunningApp, bytes: string): Promise<number[]> =>
    (await exchange(app.port, bytes)).answers.map(({ status }) => status);

  it('DNS rebinding: a page under its own name on a loopback address is rejected before its body is read', async () => {
    const app = await launch();
    const { answers } = await exchange(
      app.port,
      'POST / HTTP/1.1\r\nHost: evil.com:3000\r\nOrigin: http://evil.com:3000\r\nSec-Fetch-Site: same-origin\r\n' +
        'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n',
      1,
    );
    expect([answers.map(({ status }) => status), ran]).toEqual([[421], 0]);
  });

  it.each([
    ['API.EXAMPLE.COM:443', 200],
    ['u@api.example.com', 400],
    ['api%2eexample.com', 400],
    ['a,b', 400],
    [':99999', 400],
    ['api.example.com:99999', 400],
    ['', 400],
  ])('Host: %s: %d', async (host, status) => {
    const app = await launch(LISTED);
    expect(await raw(app, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).toEqual([status]);
    expect(ran).toBe(status === 200 ? 1 : 0);
  });

  it('two Host lines: 400', async () => {
    const app = await launch(LISTED);
    const lines = `Host: ${HOST}\r\nHost: evil.example`;
    expect(await raw(app, `GET / HTTP/1.1\r\n${lines}\r\nConnection: close\r\n\r\n`)).toEqual([400]);
  });

  it.each([
    ['example.com', 421],
    ['evilexample.com', 421],
    ['.example.com', 400],
    ['api.example.com', 200],
  ])('*.example.com and Host: %s: %d', async (host, status) => {
    const app = await launch({ hosts: ['*.example.com'] });
    expect(await raw(app, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).toEqual([status]);
  });

  it('forwarded host and scheme of a peer that is not trusted are ignored: no HSTS', async () => {
    const app = await launch(LISTED);
    const answer = await app.send('/', {
      headers: { Host: HOST, 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' },
    });
    expect([answer.status, answer.all('strict-transport-security')]).toEqual([200, []]);
  });

  it('cache poisoning: a forwarded host is in no part of a 404', async () => {
    const app = await launch();
    const answer = await app.send('/nowhere', { headers: { 'X-Forwarded-Host': 'evil' } });
    expect(answer.status).toBe(404);
    expect(answer.body + answer.lines.join()).not.toContain('evil');
  });

  it('address spoofing: rotating X-Forwarded-For is one quota', async () => {
    const app = await launch();
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) {
      statuses.push((await app.send('/', { headers: { 'X-Forwarded-For': `203.0.113.${n}` } })).status);
    }
    expect(statuses).toEqual([...Array(10).fill(200), 429, 429]);
  });

  it('IPv6: 100 addresses of one /64, in upper case and expanded too, are one quota', async () => {
    const app = await launch({ trustProxy: 'loopback', rateLimit: { limits: '10/minute', flood: false } });
    const counts: Record<number, number> = {};
    for (let n = 0; n < 100; n++) {
      const forms = [
        `2001:db8:0:7::${n.toString(16)}`,
        `2001:DB8:0:7::A:${n}`,
        `2001:0db8:0000:0007:0000:0000:0000:${n}`,
      ];
      const { status } = await app.send('/', { headers: { 'X-Forwarded-For': forms[n % 3]! } });
      counts[status] = (counts[status] ?? 0) + 1;
    }
    expect(counts).toEqual({ 200: 10, 429: 90 });
  });

  it('IPv4-mapped: two addresses are two quotas, the same as of their IPv4 forms', async () => {
    const app = await launch({ trustProxy: 'loopback', rateLimit: { limits: '1/minute' } });
    const statuses: number[] = [];
    for (const address of ['::ffff:1.2.3.4', '::ffff:5.6.7.8', '1.2.3.4', '5.6.7.8', '::FFFF:102:304']) {
      statuses.push((await app.send('/', { headers: { 'X-Forwarded-For': address } })).status);
    }
    expect(statuses).toEqual([200, 200, 429, 429, 429]);
  });

  it('key rotation: 1000 X-API-Key values hold to the quota of the address', async () => {
    const app = await launch({ rateLimit: { flood: false } });
    const counts: Record<number, number> = {};
    for (let batch = 0; batch < 20; batch++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          app.send('/', { headers: { 'X-API-Key': `key-${batch}-${n}-${Math.random()}` } }),
        ),
      );
      for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
    }
    expect(counts).toEqual({ 200: 10, 429: 990 });
  });

  it.each(['/admin/', '//admin', '/ADMIN', '/admin;x', '/./admin', '/%61dmin', '/admin?x', '/admin/.'])(
    'path trick %s: the same protection, or no route',
    async path => {
      const app = await launch();
      await app.send('/admin');
      const { answers } = await exchange(
        app.port,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      expect([400, 404, 429]).toContain(answers[0]!.status);
      expect(ran).toBe(1);
    },
  );

  it.each(['null', `${ORIGIN}.evil.net`, 'http://app.example.com', `${ORIGIN}:8443`])(
    'Origin: %s reads nothing and changes nothing',
    async origin => {
      const app = await launch(LISTED);
      const read = await app.send('/', { headers: { Host: HOST, Origin: origin } });
      expect(read.lines.filter(([name]) => /^access-control-/i.test(name))).toEqual([]);
      expect(read.header('vary')).toBe('Origin');
      ran = 0;
      const change = await app.send('/', {
        body: 'a=1',
        headers: { Host: HOST, Origin: origin, 'Content-Type': 'text/plain' },
      });
      expect([change.status, change.json().code, ran]).toEqual([403, 'origin_not_allowed', 0]);
      expect(change.header('vary')).toBe('Origin');
    },
  );

  it.each([
    ['a prototype', '{"__proto__":{"isAdmin":true}}'],
    ['50,000 nested arrays', '['.repeat(25_000) + ']'.repeat(25_000)],
    ['50,000 levels', '['.repeat(50_000) + ']'.repeat(50_000)],
  ])('JSON with %s: 400 before the handler', async (_what, body) => {
    const app = await launch();
    const answer = await app.send('/', { body, headers: { 'Content-Type': 'application/json' } });
    expect([answer.status, ran]).toEqual([400, 0]);
    expect(answer.header('content-type')).toBe('application/problem+json');
  });

  it.each([
    ['a tab', 'evil\tmarker'],
    ['\\x85', 'evil\x85marker'],
    ['5 KB', 'evilmarker'.repeat(512)],
    ['markup', '<script>evilmarker</script>'],
  ])('request ID with %s: replaced, and in no log', async (_what, id) => {
    const app = await launch();
    const { answers } = await exchange(
      app.port,
      `GET /fails HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: ${id}\r\nConnection: close\r\n\r\n`,
    );
    expect(answers[0]!.header('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    expect(app.logger.find('unforeseen', 'error').length).toBe(1);
    expect(app.logger.text + answers[0]!.body).not.toContain('evil');
  });

  it('TRACE /: 405', async () => {
    const app = await launch();
    const answer = await app.send('/', { method: 'TRACE', headers: { 'X-Secret': 'evil-marker' } });
    expect([answer.status, answer.header('allow')]).toEqual([405, expect.stringContaining('GET')]);
    expect(answer.body).not.toContain('evil-marker');
  });

  it('a header named __proto__: no crash', async () => {
    const app = await launch();
    const bytes =
      'GET / HTTP/1.1\r\nHost: localhost\r\n__proto__: x\r\nconstructor: y\r\ntoString: z\r\nConnection: close\r\n\r\n';
    expect(await raw(app, bytes)).toEqual([200]);
    expect(await raw(app, bytes)).toEqual([200]);
  });
});
