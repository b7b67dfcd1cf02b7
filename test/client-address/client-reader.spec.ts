import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import proxyAddr from 'proxy-addr';
import {
  type ResolvedTrustProxy,
  resolveTrustProxy,
} from '../../src/client-address/client-address.options.js';
import { ClientReader } from '../../src/client-address/client-reader.js';
import { readClient } from '../../src/client-address/read-client.js';
import { compileNetworks } from '../../src/client-address/trusted-networks.js';
import { addressKey, SHARED_KEY } from '../../src/common/ip-address.js';
import type { Client } from '../../src/common/request-state.js';

const RUNS = { seed: 20_261, numRuns: 1_000 };

const NETWORKS = [
  'loopback',
  'linklocal',
  'uniquelocal',
  '10.0.0.0/8',
  '10.1.2.3/9',
  '192.0.2.7',
  '192.0.2.0/31',
  '198.51.100.0/255.255.255.128',
  '128.0.0.0/1',
  '2001:db8::/32',
  '::1',
  '::ffff:192.0.2.0/120',
  '::ffff:198.51.100.7',
  '0:0:0:0:0:ffff:a01:0/112',
];
const ADDRESSES = [
  '127.0.0.1',
  '10.0.0.1',
  '10.1.2.3',
  '10.129.0.1',
  '192.0.2.1',
  '192.0.2.7',
  '198.51.100.7',
  '198.51.100.200',
  '255.255.255.255',
  '0.0.0.0',
  '010.0.0.1',
  '10.0.0',
  '10.0.0.256',
  '::1',
  '2001:db8::1',
  '::ffff:10.1.0.1',
  '::ffff:127.0.0.1',
  'fe80::1%eth0',
  'unknown',
  '',
];
const SCHEMES = ['http', 'https', 'HTTPS', 'wss', 'https, http', 'x', ''];
const HOSTS = ['example.com', 'a, b', '', ' a.example '];

const networks = fc.uniqueArray(fc.constantFrom(...NETWORKS), { minLength: 1, maxLength: 4 });
const address = fc.oneof(fc.constantFrom(...ADDRESSES), fc.ipV4(), fc.ipV6());
const list = fc.oneof(
  { weight: 3, arbitrary: address },
  fc
    .tuple(fc.array(address, { maxLength: 3 }), fc.constantFrom(', ', ',', ' ,'))
    .map(([items, by]) => items.join(by)),
);
const headers = fc.record(
  {
    'x-forwarded-for': list,
    'x-forwarded-proto': fc.constantFrom(...SCHEMES),
    'x-forwarded-host': fc.constantFrom(...HOSTS),
    forwarded: address.map(node => `for="${node.includes(':') ? `[${node}]` : node}";proto=https`),
  },
  { requiredKeys: [] },
);
const header = fc.constantFrom(undefined, 'X-Forwarded-For', 'Forwarded');
const proxies = fc.oneof(networks, fc.integer({ min: 1, max: 3 }));

const silent = { log() {}, warn() {}, error() {}, debug() {} };
const reader = (trust: ResolvedTrustProxy | undefined): ClientReader =>
  new ClientReader(trust, silent as never);
const request = (socket: object, sent: object): IncomingMessage => ({ socket, headers: sent }) as never;

/** The general path alone. */
const model = (
  remoteAddress: string,
  encrypted: boolean,
  sent: object,
  trust: ResolvedTrustProxy | undefined,
): Client => {
  const reading = readClient({ address: remoteAddress, encrypted }, sent as never, trust);
  return { ...reading, key: addressKey(reading.address) ?? SHARED_KEY };
};

describe('ClientReader', () => {
  it('reads every request of a connection as the general path does', () => {
    fc.assert(
      fc.property(
        address,
        fc.boolean(),
        fc.array(headers, { minLength: 1, maxLength: 3 }),
        fc.option(proxies, { nil: false }),
        header,
        (remoteAddress, encrypted, requests, trusted, named) => {
          const trust = resolveTrustProxy(
            { proxies: trusted as never, ...(named && { header: named }) },
            () => undefined,
          );
          const socket = { remoteAddress, encrypted };
          const each = reader(trust);
          for (const sent of requests)
            expect(each.read(request(socket, sent))).toEqual(model(remoteAddress, encrypted, sent, trust));
        },
      ),
      RUNS,
    );
  });

  it('asks a function of the app about the peer of every request, and about each hop', () => {
    const calls: [string, number][] = [];
    let isTrusted = true;
    const proxiesOfApp = (address: string, hop: number): boolean => {
      calls.push([address, hop]);
      return isTrusted && hop === 0;
    };
    const each = reader(resolveTrustProxy(proxiesOfApp, () => undefined));
    const socket = { remoteAddress: '10.0.0.1' };
    const sent = { 'x-forwarded-for': '192.0.2.1' };
    expect(each.read(request(socket, sent)).address).toBe('192.0.2.1');
    isTrusted = false;
    expect(each.read(request(socket, sent)).address).toBe('10.0.0.1');
    expect(calls.slice(0, 3)).toEqual([
      ['10.0.0.1', 0],
      ['192.0.2.1', 1],
      ['10.0.0.1', 0],
    ]);
  });

  it('keeps the answer about a peer for its connection alone', () => {
    const each = reader(resolveTrustProxy('10.0.0.0/8', () => undefined));
    const sent = { 'x-forwarded-for': '192.0.2.1' };
    expect(each.read(request({ remoteAddress: '10.0.0.1' }, sent)).address).toBe('192.0.2.1');
    expect(each.read(request({ remoteAddress: '203.0.113.1' }, sent)).address).toBe('203.0.113.1');
  });
});

describe('compileNetworks', () => {
  it('trusts the addresses that proxy-addr trusts', () => {
    fc.assert(
      fc.property(networks, fc.array(address, { minLength: 1, maxLength: 20 }), (listed, addresses) => {
        const [ours, theirs] = [compileNetworks(listed), proxyAddr.compile([...listed])];
        for (const each of addresses) expect([each, ours(each, 0)]).toEqual([each, theirs(each, 0)]);
      }),
      RUNS,
    );
  });

  it('trusts the first and the last address of a network, and no neighbour', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.integer({ min: 1, max: 32 }),
        (bits, length) => {
          const size = 2 ** (32 - length);
          const first = Math.floor(bits / size) * size;
          const trusts = compileNetworks([`${textOf(bits)}/${length}`]);
          expect(
            [first - 1, first, bits, first + size - 1, first + size].map(each => trusts(textOf(each), 0)),
          ).toEqual([false, true, true, true, false]);
        },
      ),
      RUNS,
    );
  });
});

/** Beyond the addresses of IPv4, text that is no address. */
const textOf = (bits: number): string =>
  bits < 0 || bits > 0xffff_ffff
    ? 'none'
    : [24, 16, 8, 0].map(shift => Math.floor(bits / 2 ** shift) % 256).join('.');
