import type { IncomingHttpHeaders } from 'node:http';
import { resolveTrustProxy } from '../../src/client-address/client-address.options.js';
import { readClient } from '../../src/client-address/read-client.js';
import { SHARED_KEY } from '../../src/common/ip-address.js';
import { isFromNetwork } from '../../src/network/check-network.js';

const PEER = '127.0.0.1';
const LONG = Array.from({ length: 40 }, () => '10.0.0.1').join(', ');

const decide = (trustProxy: unknown, headers: IncomingHttpHeaders, network: 'any' | 'private'): boolean => {
  const trusts = resolveTrustProxy(trustProxy, () => undefined);
  const client = { ...readClient({ address: PEER, encrypted: false }, headers, trusts), key: SHARED_KEY };
  return isFromNetwork(client, headers, network);
};

describe('a client of a private network', () => {
  type Row = readonly [title: string, trustProxy: unknown, headers: IncomingHttpHeaders, allowed: boolean];
  const rows: readonly Row[] = [
    ['is served without a forwarding header', false, {}, true],
    ['is served with headers that no proxy adds', false, { 'x-request-id': '1', origin: 'x' }, true],
    ...[
      'x-forwarded-for',
      'X-Forwarded-Host',
      'x-forwarded-proto',
      'x-forwarded',
      'forwarded',
      'x-real-ip',
      'via',
      'cf-connecting-ip',
      'true-client-ip',
      'x-original-forwarded-for',
      'cdn-loop',
    ].map((name): Row => [`is rejected with ${name}`, false, { [name.toLowerCase()]: '10.0.0.1' }, false]),
    ['is rejected where another proxy is trusted', '192.0.2.1', { 'x-forwarded-for': '10.0.0.1' }, false],
    ['is served where a trusted proxy names it', 'loopback', { 'x-forwarded-for': '10.0.0.1' }, true],
    ['is served where one hop names it', 1, { 'x-forwarded-for': '10.0.0.1' }, true],
    ['is served where Forwarded names it', 'loopback', { forwarded: 'for=10.0.0.1' }, true],
    ['is served with a trusted Via', 'loopback', { 'x-forwarded-for': '10.0.0.1', via: '1.1 a' }, true],
    [
      'is served where every hop is trusted',
      ['loopback', '10.0.0.0/8'],
      { 'x-forwarded-for': '10.0.0.1, 10.0.0.2' },
      true,
    ],
    ['is served from a trusted peer without forwarded headers', 'loopback', {}, true],
    [
      'is rejected where it forwards itself',
      'loopback',
      { 'x-forwarded-for': '203.0.113.7, 10.0.0.1' },
      false,
    ],
    [
      'is rejected where it says so in Forwarded',
      'loopback',
      { forwarded: 'for=203.0.113.7, for=10.0.0.1' },
      false,
    ],
    [
      'is rejected where a count of hops ends before it',
      1,
      { 'x-forwarded-for': '203.0.113.7, 10.0.0.1' },
      false,
    ],
    ['is rejected behind a node without an address', 'loopback', { forwarded: 'for=unknown' }, false],
    ['is rejected behind a hidden node', 'loopback', { 'x-forwarded-for': 'unknown' }, false],
    [
      'is rejected where the two fields differ',
      'loopback',
      { 'x-forwarded-for': '10.0.0.1', forwarded: 'for=10.0.0.2' },
      false,
    ],
    [
      'is rejected where a trusted proxy reports no client',
      'loopback',
      { 'x-real-ip': '203.0.113.7' },
      false,
    ],
    [
      'is rejected with more hops than are read',
      ['loopback', '10.0.0.0/8'],
      { 'x-forwarded-for': LONG },
      false,
    ],
  ];
  it.each(rows)('%s', (_title, trustProxy, headers, allowed) => {
    expect(decide(trustProxy, headers, 'private')).toBe(allowed);
    expect(decide(trustProxy, headers, 'any')).toBe(true);
  });

  it('is no client of the internet that a trusted proxy names', () => {
    expect(decide('loopback', { 'x-forwarded-for': '203.0.113.7' }, 'private')).toBe(false);
  });
});
