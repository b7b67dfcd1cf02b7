import { Controller, Get } from '@nestjs/common';
import { ClientAddress, type TrustProxyOption } from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

@Controller()
class Routes {
  @Get('address')
  address(@ClientAddress() address: string): object {
    return { address };
  }
}

const addressOf = async (app: RunningApp, headers: Record<string, string | string[]>): Promise<string> =>
  (await app.send('/address', { headers })).json().address;

describe.each(PLATFORMS)('the client of a request on %s', (_title, platform) => {
  const launch = (trustProxy?: TrustProxyOption, limits = '1000/second'): Promise<RunningApp> =>
    start(platform, {
      controllers: [Routes],
      options: { ...(trustProxy === undefined ? {} : { trustProxy }), rateLimit: { limits, flood: false } },
    });

  describe('trustProxy', () => {
    const chain = { 'X-Forwarded-For': '203.0.113.9, 198.51.100.7, 10.0.0.2' };

    it.each<[string, TrustProxyOption | undefined, Record<string, string | string[]>, string]>([
      ['not given: the peer', undefined, chain, '127.0.0.1'],
      ['false: the peer', false, chain, '127.0.0.1'],
      ['0 hops: the peer', 0, chain, '127.0.0.1'],
      ['1 hop: what the peer wrote', 1, chain, '10.0.0.2'],
      ['2 hops', 2, chain, '198.51.100.7'],
      ['3 hops: the end of the chain', 3, chain, '203.0.113.9'],
      ['more hops than the chain has: its end', 9, chain, '203.0.113.9'],
      ['a name', 'loopback', chain, '10.0.0.2'],
      ['names and networks as text', 'loopback, 10.0.0.0/8', chain, '198.51.100.7'],
      ['a list', ['loopback', '10.0.0.0/8', '198.51.100.7'], chain, '203.0.113.9'],
      ['a network that the peer is not in', '10.0.0.0/8', chain, '127.0.0.1'],
      [
        'a function',
        (address: string, hop: number) => address === '127.0.0.1' && hop === 0,
        chain,
        '10.0.0.2',
      ],
      [
        'several lines are one list',
        'loopback',
        { 'X-Forwarded-For': ['203.0.113.9', '198.51.100.7'] },
        '198.51.100.7',
      ],
      [
        'text to the left of the client is ignored',
        1,
        { 'X-Forwarded-For': '1.1.1.1, 198.51.100.7' },
        '198.51.100.7',
      ],
      ['text that is no address is ignored', 1, { 'X-Forwarded-For': '198.51.100.7, unknown' }, '127.0.0.1'],
      ['an address with a port', 1, { 'X-Forwarded-For': '198.51.100.7:4711' }, '198.51.100.7'],
      ['IPv6 in its one spelling', 1, { 'X-Forwarded-For': '2001:DB8:0:0:0:0:0:1' }, '2001:db8::1'],
      ['IPv6 in brackets with a port', 1, { 'X-Forwarded-For': '[2001:db8::1]:443' }, '2001:db8::1'],
      ['IPv4-mapped IPv6', 1, { 'X-Forwarded-For': '::ffff:198.51.100.7' }, '198.51.100.7'],
      ['Forwarded', 1, { Forwarded: 'for=198.51.100.7;proto=https' }, '198.51.100.7'],
      ['Forwarded with IPv6', 1, { Forwarded: 'for="[2001:db8::1]:4711"' }, '2001:db8::1'],
      ['Forwarded with an obfuscated name', 1, { Forwarded: 'for=_hidden' }, '127.0.0.1'],
      ['malformed Forwarded', 1, { Forwarded: 'for=198.51.100.7;;=' }, '127.0.0.1'],
    ])('%s', async (_what, trustProxy, headers, expected) => {
      const app = await launch(trustProxy);
      expect(await addressOf(app, headers)).toBe(expected);
    });

    it.each([true, 'true'])('rejects %p at start-up', async value => {
      const given = value === true;
      if (!given) process.env['TRUST_PROXY'] = 'true';
      try {
        await expect(launch(given ? (true as never) : undefined)).rejects.toMatchObject({
          code: 'ASEC_TRUST_ALL',
          option: given ? 'trustProxy' : 'TRUST_PROXY',
        });
      } finally {
        delete process.env['TRUST_PROXY'];
      }
    });

    it.each([
      ['1', '10.0.0.2'],
      ['loopback,10.0.0.0/8', '198.51.100.7'],
    ])('reads TRUST_PROXY=%s', async (value, expected) => {
      process.env['TRUST_PROXY'] = value;
      try {
        expect(await addressOf(await launch(), chain)).toBe(expected);
      } finally {
        delete process.env['TRUST_PROXY'];
      }
    });
  });

  describe('spoofing', () => {
    const limited = async (app: RunningApp, sent: readonly Record<string, string>[]): Promise<number[]> => {
      const answers: Answer[] = [];
      for (const headers of sent) answers.push(await app.send('/address', { headers }));
      return answers.map(({ status }) => status);
    };

    it.each([
      'X-Forwarded-For',
      'Forwarded',
      'X-Real-IP',
      'CF-Connecting-IP',
      'True-Client-IP',
      'X-Client-IP',
      'X-API-Key',
    ])('a rotating %s wins no second quota', async name => {
      const app = await launch(undefined, '2/minute');
      const value = (n: number): string => (name === 'Forwarded' ? `for=198.51.100.${n}` : `198.51.100.${n}`);
      const statuses = await limited(
        app,
        [1, 2, 3, 4].map(n => ({ [name]: value(n) })),
      );
      expect(statuses).toEqual([200, 200, 429, 429]);
    });

    it('left of a trusted proxy, a made-up address wins no second quota', async () => {
      const app = await launch(1, '2/minute');
      const statuses = await limited(
        app,
        [1, 2, 3].map(n => ({ 'X-Forwarded-For': `1.2.3.${n}, 198.51.100.7` })),
      );
      expect(statuses).toEqual([200, 200, 429]);
    });

    it('clients behind a trusted proxy have a quota each', async () => {
      const app = await launch(1, '1/minute');
      const statuses = await limited(
        app,
        ['198.51.100.7', '198.51.100.8', '198.51.100.7'].map(address => ({ 'X-Forwarded-For': address })),
      );
      expect(statuses).toEqual([200, 200, 429]);
    });

    it.each([
      [
        'addresses of one /64',
        ['2001:db8:1:2::1', '2001:DB8:1:2::ffff', '2001:0db8:0001:0002:abcd:0:0:1'],
        [200, 429, 429],
      ],
      ['addresses of two /64', ['2001:db8:1:2::1', '2001:db8:1:3::1'], [200, 200]],
      [
        'IPv4-mapped addresses',
        ['::ffff:1.2.3.4', '::ffff:5.6.7.8', '1.2.3.4', '5.6.7.8'],
        [200, 200, 429, 429],
      ],
    ])('%s', async (_what, addresses, expected) => {
      const app = await launch(1, '1/minute');
      expect(
        await limited(
          app,
          addresses.map(address => ({ 'X-Forwarded-For': address })),
        ),
      ).toEqual(expected);
    });
  });

  describe('the warning of forwarding headers from a peer that is not trusted', () => {
    it.each<[string, TrustProxyOption | undefined, Record<string, string>, number]>([
      ['comes once for X-Forwarded-For', undefined, { 'X-Forwarded-For': '198.51.100.7' }, 1],
      ['comes once for Forwarded', undefined, { Forwarded: 'for=198.51.100.7' }, 1],
      ['comes once where another network is trusted', '10.0.0.0/8', { 'X-Forwarded-For': '198.51.100.7' }, 1],
      ['does not come without such a header', undefined, {}, 0],
      ['does not come where the peer is trusted', 'loopback', { 'X-Forwarded-For': '198.51.100.7' }, 0],
      ['does not come for a hop count', 1, { 'X-Forwarded-For': '198.51.100.7' }, 0],
    ])('%s', async (_what, trustProxy, headers, times) => {
      const app = await launch(trustProxy);
      for (let n = 0; n < 3; n++) await app.send('/address', { headers });
      const entries = app.logger.find('X-Forwarded-For', 'warn');
      expect(entries.length).toBe(times);
      for (const { message } of entries) {
        expect(message).toContain('127.0.0.1');
        expect(message).toContain('trustProxy');
        expect(message).toContain('one quota');
        expect(message).not.toContain('198.51.100.7');
      }
    });
  });

  describe('the scheme', () => {
    it.each<[string, TrustProxyOption | undefined, Record<string, string>, boolean]>([
      ['X-Forwarded-Proto of an untrusted peer', undefined, { 'X-Forwarded-Proto': 'https' }, false],
      ['X-Forwarded-Proto from a trusted proxy', 'loopback', { 'X-Forwarded-Proto': 'https' }, true],
      ['X-Forwarded-Proto: http from a trusted proxy', 'loopback', { 'X-Forwarded-Proto': 'http' }, false],
      [
        'X-Forwarded-Proto from a peer beside the trusted network',
        '10.0.0.0/8',
        { 'X-Forwarded-Proto': 'https' },
        false,
      ],
      ['Forwarded from a trusted proxy', 'loopback', { Forwarded: 'for=198.51.100.7;proto=https' }, true],
      ['Forwarded of an untrusted peer', undefined, { Forwarded: 'for=198.51.100.7;proto=https' }, false],
      ['nothing from a trusted proxy', 'loopback', {}, false],
    ])('%s', async (_what, trustProxy, headers, secure) => {
      const app = await launch(trustProxy);
      const answer = await app.send('/address', { headers });
      expect(answer.all('strict-transport-security')).toEqual(
        secure ? ['max-age=31536000; includeSubDomains'] : [],
      );
    });
  });
});
