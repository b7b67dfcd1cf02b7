/* Whom a quota belongs to. */
import { Controller, Get } from '@nestjs/common';
import type { AgentSecurityOptions } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

@Controller()
class PlainController {
  @Get()
  get(): string {
    return 'ok';
  }
}

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  const startWith = (options: AgentSecurityOptions): Promise<RunningApp> =>
    start(platform, { controllers: [PlainController], options });
  const from = async (app: RunningApp, address: string): Promise<number> =>
    (await app.send('/', { headers: { 'X-Forwarded-For': address } })).status;

  const PAIRS: readonly (readonly [title: string, first: string, second: string, shared: boolean])[] = [
    ['two IPv4 addresses', '203.0.113.1', '203.0.113.2', false],
    ['two addresses of one /64', '2001:db8:abcd:12::1', '2001:db8:abcd:12::2', true],
    ['the last address of a /64', '2001:db8:abcd:12::1', '2001:db8:abcd:12:ffff:ffff:ffff:ffff', true],
    ['two /64 of one /56', '2001:db8:abcd:12::1', '2001:db8:abcd:13::1', false],
    ['two spellings of one address', '2001:db8::1', '2001:0DB8:0:0:0:0:0:1', true],
    ['an IPv4-mapped address and its IPv4 form', '::ffff:1.2.3.4', '1.2.3.4', true],
    ['an IPv4-mapped address in hexadecimal', '::ffff:102:304', '1.2.3.4', true],
    ['two IPv4-mapped addresses', '::ffff:1.2.3.4', '::ffff:5.6.7.8', false],
    [
      'what a client wrote left of its own address',
      '198.51.100.1, 203.0.113.1',
      '198.51.100.2, 203.0.113.1',
      true,
    ],
  ];
  const QUOTAS: readonly (readonly [title: string, rateLimit: AgentSecurityOptions['rateLimit']])[] = [
    ['limits', { limits: '1/minute', flood: false }],
    ['flood', { limits: false, flood: '1/minute' }],
    [
      'an async key that returns no key',
      { limits: { limit: '1/minute', key: async () => undefined }, flood: false },
    ],
  ];
  describe.each(QUOTAS)('%s', (_quota, rateLimit) => {
    it.each(PAIRS)('behind a trusted proxy: %s', async (_row, first, second, shared) => {
      const app = await startWith({ rateLimit: rateLimit!, trustProxy: 'loopback' });
      expect(await from(app, first)).toBe(200);
      expect(await from(app, first)).toBe(429);
      expect(await from(app, second)).toBe(shared ? 429 : 200);
    });

    it('has one quota for a client that rotates X-Forwarded-For without a trusted proxy', async () => {
      const app = await startWith({ rateLimit: rateLimit! });
      expect(await from(app, '203.0.113.0')).toBe(200);
      for (let turn = 1; turn < 20; turn++) expect(await from(app, `203.0.113.${turn}`)).toBe(429);
      expect(app.logger.find('trustProxy', 'warn')).toHaveLength(1);
    });
  });

  it('has one quota for a client that rotates X-API-Key', async () => {
    const app = await startWith({ rateLimit: { flood: false } });
    const seen = new Map<number, number>();
    for (let turn = 0; turn < 1_000; turn++) {
      const { status } = await app.send('/', { headers: { 'X-API-Key': `key-${turn}` } });
      seen.set(status, (seen.get(status) ?? 0) + 1);
    }
    expect([...seen]).toEqual([
      [200, 10],
      [429, 990],
    ]);
  });

  it("counts all clients together under the module's key 'global'", async () => {
    const app = await startWith({ rateLimit: { limits: '1/minute', key: 'global' }, trustProxy: 'loopback' });
    expect(await from(app, '203.0.113.1')).toBe(200);
    expect(await from(app, '203.0.113.2')).toBe(429);
  });

  it("counts by the module's key function", async () => {
    const app = await startWith({
      rateLimit: { limits: '1/minute', key: request => String(request.headers['x-team'] ?? '') },
    });
    const of = async (headers: Record<string, string>): Promise<number> =>
      (await app.send('/', { headers })).status;
    expect(await of({ 'X-Team': 'red' })).toBe(200);
    expect(await of({ 'X-Team': 'red' })).toBe(429);
    expect(await of({ 'X-Team': 'blue' })).toBe(200);
    expect([await of({}), await of({})]).toEqual([200, 429]);
  });

  describe('RATE_LIMIT', () => {
    const saved = process.env['RATE_LIMIT'];
    afterEach(() => {
      if (saved === undefined) delete process.env['RATE_LIMIT'];
      else process.env['RATE_LIMIT'] = saved;
    });

    const SOURCES: readonly (readonly [
      title: string,
      text: string,
      limits: string | undefined,
      policies: string,
    ])[] = [
      [
        'gives the limits',
        '2/second, 3/minute',
        undefined,
        '"2-per-second";q=2;w=1, "3-per-minute";q=3;w=60',
      ],
      ['is blank: the defaults', ' ', undefined, '"10-per-second";q=10;w=1, "100-per-minute";q=100;w=60'],
      ['gives way to the option', '2/second', '5/minute', '"5-per-minute";q=5;w=60'],
    ];
    it.each(SOURCES)('%s', async (_row, text, limits, policies) => {
      process.env['RATE_LIMIT'] = text;
      const app = await startWith(limits === undefined ? {} : { rateLimit: { limits } });
      expect((await app.send('/')).header('RateLimit-Policy')).toBe(policies);
    });

    it('stops the start-up where it is no limit', async () => {
      process.env['RATE_LIMIT'] = '5/m';
      await expect(startWith({})).rejects.toMatchObject({ code: 'ASEC_LIMIT_SYNTAX', option: 'RATE_LIMIT' });
    });
  });
});
