import { Controller, Get, Post } from '@nestjs/common';
import { AllowHosts } from '../../src/index.js';
import { type HostCase, loadCases } from '../fixtures/load-cases.js';
import { exchange } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start, startShared } from '../support/start.js';

let ran: string[] = [];
beforeEach(() => {
  ran = [];
});

@Controller()
class Routes {
  @Get()
  root(): string {
    ran.push('root');
    return 'root';
  }

  @Get('healthz')
  health(): string {
    ran.push('health');
    return 'well';
  }

  @Post('change')
  change(): string {
    ran.push('change');
    return 'changed';
  }
}

@Controller('admin')
@AllowHosts('admin.example.com', 'elsewhere.example.org')
class AdminRoutes {
  @Get()
  whole(): string {
    return 'admin';
  }

  @Get('own')
  @AllowHosts('own.example.com')
  own(): string {
    return 'own';
  }
}

describe.each(PLATFORMS)('hosts on %s', (_title, platform) => {
  describe('the table of cases', () => {
    // A list that holds no host at all stops the start-up instead.
    const UNUSABLE = 'H159';
    const cases = loadCases('hosts').cases.filter(({ id }) => id !== UNUSABLE);

    it(`${UNUSABLE}: a list with a name that is none stops the start-up`, async () => {
      const { allowed } = loadCases('hosts').cases.find(({ id }) => id === UNUSABLE)!;
      const starting = start(platform, { controllers: [Routes], options: { hosts: allowed } });
      await expect(starting).rejects.toMatchObject({ code: 'ASEC_HOST_INVALID' });
    });
    const byList = new Map<string, HostCase[]>();
    for (const row of cases) {
      const list = JSON.stringify(row.allowed);
      byList.set(list, [...(byList.get(list) ?? []), row]);
    }

    describe.each([...byList])('allowed: %s', (list, rows) => {
      let app: RunningApp;
      beforeAll(async () => {
        const allowed = JSON.parse(list) as string[];
        app = await startShared(platform, {
          controllers: [Routes],
          options: {
            hosts: allowed.includes('*') ? { insecureAnyHost: true } : allowed,
            rateLimit: false,
          },
        });
      });

      // node:http would reject or normalize some of these values, so they go over a socket.
      it.each(rows.map(row => [row.id, JSON.stringify(row.host.slice(0, 80)), row] as const))(
        '%s %s',
        async (_id, _host, row) => {
          const { answers } = await exchange(
            app.port,
            `GET / HTTP/1.1\r\nHost: ${Buffer.from(row.host, 'utf8').toString('latin1')}\r\nConnection: close\r\n\r\n`,
            1,
          );
          const { status } = answers[0]!;
          expect([status, status === 400 || status === 421]).toEqual(
            row.expect === 'allow' ? [200, false] : [status, true],
          );
          expect(ran).toEqual(row.expect === 'allow' ? ['root'] : []);
        },
      );
    });
  });

  describe('by default', () => {
    it.each([
      ['localhost on any port', 'localhost:3000', 200],
      ['a name under localhost', 'api.localhost', 200],
      ['an IPv4 loopback address', '127.0.0.1:80', 200],
      ['an IPv6 loopback address', '[::1]:8080', 200],
      ['a public name', 'example.com', 421],
      ['a name that starts like localhost', 'localhost.evil.example', 421],
      ['userinfo before localhost', 'evil@localhost', 400],
      ['a short form of an address', '127.1', 421],
      ['an address as a number', '2130706433', 421],
    ])('%s', async (_what, host, status) => {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await app.send('/', { headers: { Host: host } });
      expect([answer.status, ran.length]).toEqual([status, status === 200 ? 1 : 0]);
    });

    it.each([
      ['no Host line', 'GET / HTTP/1.0\r\n\r\n', 400],
      ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 400],
      [
        'two equal Host lines',
        'GET / HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\nConnection: close\r\n\r\n',
        400,
      ],
      [
        'a target of another authority',
        'GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
        400,
      ],
      [
        'a target of the same authority',
        'GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
        200,
      ],
      [
        'a target of another port',
        'GET http://localhost:81/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
        400,
      ],
      [
        'an https target without its default port',
        'GET https://localhost/ HTTP/1.1\r\nHost: localhost:443\r\nConnection: close\r\n\r\n',
        200,
      ],
    ])('%s', async (_what, bytes, status) => {
      const app = await start(platform, { controllers: [Routes] });
      const { answers } = await exchange(app.port, bytes);
      expect(answers.map(answer => answer.status)).toEqual([status]);
      expect(ran.length).toBe(status === 200 ? 1 : 0);
    });
  });

  it('does not remember the decision on a connection', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const { answers } = await exchange(
      app.port,
      'GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 421]);
  });

  it('names the rejected host and the setting in the log, and not in the response', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/', { headers: { Host: 'shop.example.com' } });
    expect(answer.json()).toMatchObject({ status: 421, code: 'host_not_allowed' });
    expect(answer.body + answer.lines.join()).not.toContain('shop');
    const [entry] = app.logger.find('shop.example.com', 'warn');
    expect(entry!.message).toContain('ALLOWED_HOSTS');
    expect(entry!.message).toContain('hosts');
  });

  it('rejects before the body is read', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const { answers } = await exchange(
      app.port,
      'POST /change HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n',
      1,
    );
    expect(answers[0]!.status).toBe(421);
    expect(ran).toEqual([]);
  });

  describe('exempt paths', () => {
    it.each([
      ['the path itself', '/healthz', 200],
      ['with a query', '/healthz?full=1', 200],
      ['with a trailing slash', '/healthz/', 421],
      ['in another case', '/HEALTHZ', 421],
      ['in escapes', '/%68ealthz', 421],
      ['under it', '/healthz/more', 421],
    ])('%s', async (_what, path, status) => {
      const app = await start(platform, {
        controllers: [Routes],
        options: { hosts: { exemptPaths: ['/healthz'] } },
      });
      const answer = await app.send(path, { headers: { Host: '10.1.2.3:8080' } });
      expect(answer.status).toBe(status);
    });
  });

  describe('@AllowHosts()', () => {
    const options = { hosts: ['admin.example.com', 'own.example.com', 'www.example.com'] };

    it.each([
      ['a listed host', 'admin.example.com', '/admin', 200],
      ['another host of the module', 'www.example.com', '/admin', 421],
      ['a host that the module does not list', 'elsewhere.example.org', '/admin', 421],
      ["the handler's own host", 'own.example.com', '/admin/own', 200],
      ["the class's host on a handler with its own", 'admin.example.com', '/admin/own', 421],
    ])('%s', async (_what, host, path, status) => {
      const app = await start(platform, { controllers: [AdminRoutes], options });
      const answer = await app.send(path, { headers: { Host: host } });
      expect(answer.status).toBe(status);
      expect(status === 200 || answer.json().code === 'host_not_allowed').toBe(true);
    });
  });

  describe('X-Forwarded-Host', () => {
    const hosts = ['api.example.com', '127.0.0.1'];

    it('is ignored where no proxy is trusted', async () => {
      const app = await start(platform, { controllers: [Routes], options: { hosts } });
      const good = await app.send('/', { headers: { 'X-Forwarded-Host': 'evil.example' } });
      const bad = await app.send('/', {
        headers: { Host: 'evil.example', 'X-Forwarded-Host': 'api.example.com' },
      });
      expect([good.status, bad.status]).toEqual([200, 421]);
    });

    it.each([
      ['a listed host', { 'X-Forwarded-Host': 'api.example.com' }, 200],
      ['another host', { 'X-Forwarded-Host': 'evil.example' }, 421],
      ['a malformed one', { 'X-Forwarded-Host': 'u@api.example.com' }, 400],
      ["an attacker's before the proxy's own", { 'X-Forwarded-Host': 'evil.example, api.example.com' }, 421],
      ['Forwarded', { Forwarded: 'for=192.0.2.1;host=evil.example' }, 421],
      ['Forwarded with a listed host', { Forwarded: 'for=192.0.2.1;host="api.example.com:443"' }, 200],
    ])('from a trusted proxy: %s', async (_what, headers, status) => {
      const app = await start(platform, {
        controllers: [Routes],
        options: { hosts, trustProxy: 'loopback' },
      });
      expect((await app.send('/', { headers })).status).toBe(status);
    });
  });

  it('serves every well-formed host under insecureAnyHost, and no malformed one', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: { hosts: { insecureAnyHost: true } },
    });
    const good = await app.send('/', { headers: { Host: 'any.example' } });
    const bad = await app.send('/', { headers: { Host: 'a,b' } });
    expect([good.status, bad.status]).toEqual([200, 400]);
  });

  it('reads ALLOWED_HOSTS, comma-separated and as JSON', async () => {
    const statuses: number[] = [];
    for (const value of ['api.example.com, www.example.com', '["api.example.com","www.example.com"]']) {
      process.env['ALLOWED_HOSTS'] = value;
      try {
        const app = await start(platform, { controllers: [Routes] });
        statuses.push((await app.send('/', { headers: { Host: 'www.example.com' } })).status);
        statuses.push((await app.send('/')).status);
      } finally {
        delete process.env['ALLOWED_HOSTS'];
      }
    }
    expect(statuses).toEqual([200, 421, 200, 421]);
  });
});
