/* What proxies, platforms and apps write: the schemes of WebSockets, UNIX sockets, one of two headers, probes by address, one host as text. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { type AgentSecurityOptions, ClientAddress, PrivateNetworkOnly, Public } from '../../src/index.js';
import { ManualClock } from '../support/clock.js';
import { CapturingLogger } from '../support/logger.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
import { createApp, type RunningApp, start } from '../support/start.js';

@Controller()
class Routes {
  @Get('address')
  address(@ClientAddress() address: string): object {
    return { address };
  }

  @Get('internal')
  @PrivateNetworkOnly()
  internal(): string {
    return 'internal';
  }

  @Post('address')
  write(): string {
    return 'written';
  }
}

@Public()
@Controller('healthz')
class Health {
  @Get()
  check(): string {
    return 'ok';
  }
}

@Module({ controllers: [Routes, Health] })
class Feature {}

const launch = (platform: Platform, options: AgentSecurityOptions): Promise<RunningApp> =>
  start(platform, { imports: [Feature], options });

describe.each(PLATFORMS)('%s', (_title, platform) => {
  describe('schemes', () => {
    it.each([
      ['https', true],
      ['wss', true],
      ['WSS', true],
      ['http', false],
      ['ws', false],
      ['https, ws', false],
    ])('X-Forwarded-Proto: %s', async (scheme, secure) => {
      const app = await launch(platform, { trustProxy: 'loopback' });
      const answer = await app.send('/address', { headers: { 'X-Forwarded-Proto': scheme } });
      expect(answer.header('Strict-Transport-Security') !== undefined).toBe(secure);
    });
  });

  describe('the header that the proxy writes', () => {
    const sent = {
      'X-Forwarded-For': '203.0.113.9, 198.51.100.7',
      'X-Forwarded-Proto': 'http',
      Forwarded: 'for=192.0.2.1;proto=https;host=api.test',
    };
    it.each([
      ['X-Forwarded-For', { proxies: 1, header: 'X-Forwarded-For' }, '198.51.100.7', false, 'localhost'],
      ['Forwarded', { proxies: 1, header: 'Forwarded' }, '192.0.2.1', true, 'proxy.test'],
    ] as const)('%s alone counts', async (_header, trustProxy, address, secure, host) => {
      const app = await launch(platform, { trustProxy, hosts: ['localhost', 'api.test', 'proxy.test'] });
      const answer = await app.send('/address', { headers: { ...sent, Host: host } });
      expect(answer.json()).toEqual({ address });
      expect(answer.header('Strict-Transport-Security') !== undefined).toBe(secure);
      expect(app.logger.find('name different clients')).toEqual([]);
    });

    it('of one header, the host of the other does not count', async () => {
      const headers = { ...sent, 'X-Forwarded-Host': 'evil.test' };
      const app = await launch(platform, {
        trustProxy: { proxies: 1, header: 'Forwarded' },
        hosts: 'api.test',
      });
      expect((await app.send('/address', { headers: { ...headers, Host: 'api.test' } })).status).toBe(200);
      const other = await launch(platform, {
        trustProxy: { proxies: 1, header: 'X-Forwarded-For' },
        hosts: 'api.test',
      });
      expect((await other.send('/address', { headers: { ...headers, Host: 'api.test' } })).status).toBe(421);
    });

    it('without it, two clients are none, and the log says so once', async () => {
      const app = await launch(platform, { trustProxy: 1, hosts: ['localhost', 'api.test'] });
      for (let turn = 0; turn < 2; turn++) {
        expect((await app.send('/address', { headers: sent })).json()).toEqual({ address: '127.0.0.1' });
      }
      const lines = app.logger.find('name different clients', 'warn');
      expect(lines).toHaveLength(1);
      expect(lines[0]!.message).toContain('trustProxy.header');
    });

    it('TRUST_PROXY names the proxies', async () => {
      process.env['TRUST_PROXY'] = '["loopback"]';
      try {
        const app = await launch(platform, { trustProxy: { header: 'X-Forwarded-For' } });
        expect((await app.send('/address', { headers: sent })).json()).toEqual({ address: '198.51.100.7' });
      } finally {
        delete process.env['TRUST_PROXY'];
      }
    });
  });

  describe('a UNIX socket', () => {
    const folder = mkdtempSync(join(tmpdir(), 'unix-'));
    const socketPath = join(folder, `${platform.name}.sock`);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const get = (path: string, headers: Record<string, string> = {}): Promise<[number, string]> =>
      new Promise((settle, fail) => {
        httpRequest(
          { socketPath, path, headers: { Host: 'localhost', ...headers }, agent: false },
          answer => {
            let text = '';
            answer.on('data', chunk => (text += chunk)).on('end', () => settle([answer.statusCode!, text]));
          },
        )
          .on('error', fail)
          .end();
      });

    it.each<[string, AgentSecurityOptions, Record<string, string>, string]>([
      ['is this machine', {}, {}, '127.0.0.1'],
      [
        'is a trusted proxy by "loopback"',
        { trustProxy: 'loopback' },
        { 'X-Forwarded-For': '192.0.2.1' },
        '192.0.2.1',
      ],
      ['is a trusted proxy by its hop', { trustProxy: 1 }, { 'X-Forwarded-For': '192.0.2.1' }, '192.0.2.1'],
      [
        'is no trusted proxy otherwise',
        { trustProxy: '10.0.0.0/8' },
        { 'X-Forwarded-For': '192.0.2.1' },
        '127.0.0.1',
      ],
    ])('%s', async (_what, options, headers, address) => {
      const app = await createApp(
        platform,
        { imports: [Feature], options },
        new CapturingLogger(),
        new ManualClock(),
      );
      try {
        // The adapter of Fastify takes the path as a text only in the newest versions of Nest.
        await app.listen({ path: socketPath } as never);
        expect(await get('/address', headers)).toEqual([200, JSON.stringify({ address })]);
        const forwarded = headers['X-Forwarded-For'] !== undefined;
        expect((await get('/internal', headers))[0]).toBe(forwarded ? 403 : 200);
      } finally {
        app.getHttpServer().closeAllConnections();
        await app.close();
      }
    });
  });

  describe('probes', () => {
    const probes = { exemptPaths: ['/healthz'] };

    it.each(['10.0.0.5:3000', '10.0.0.5', '[fd00::5]:8080', '169.254.1.1'])(
      'with Host: %s pass',
      async Host => {
        const app = await launch(platform, {
          auth: { identify: () => undefined },
          hosts: probes,
          rateLimit: probes,
        });
        for (let probe = 0; probe < 150; probe++) {
          expect((await app.send('/healthz', { headers: { Host } })).status).toBe(200);
        }
        expect((await app.send('/address', { headers: { Host } })).status).toBe(421);
      },
    );
  });

  describe('a host as text', () => {
    it.each<[string, AgentSecurityOptions]>([
      ['hosts', { hosts: 'api.test' }],
      ['hosts.allow', { hosts: { allow: 'api.test' } }],
      ['mcp.hosts', { hosts: ['api.test', 'localhost'], mcp: { hosts: 'api.test', path: '/address' } }],
    ])('%s', async (_option, options) => {
      const app = await launch(platform, options);
      const statuses = ['api.test', 'localhost'].map(
        async Host => (await app.send('/address', { headers: { Host } })).status === 421,
      );
      expect(await Promise.all(statuses)).toEqual([false, true]);
    });

    it('an origin as text', async () => {
      const app = await launch(platform, { cors: { origins: 'https://app.test' } });
      const answers = ['https://app.test', 'https://other.test'].map(
        async Origin => (await app.send('/address', { method: 'POST', headers: { Origin } })).status,
      );
      expect(await Promise.all(answers)).toEqual([201, 403]);
    });
  });
});
