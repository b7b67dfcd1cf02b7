import {
  type ResolvedTrustProxy,
  resolveTrustProxy,
} from '../../src/client-address/client-address.options.js';
import { hasForwardedHeaders, readClient } from '../../src/client-address/read-client.js';
import { loadCases } from '../fixtures/load-cases.js';

const trust = (option: unknown): ResolvedTrustProxy | undefined => resolveTrustProxy(option, () => undefined);

describe('the table of forwarding headers', () => {
  /** Where peers differ, the address that is read here. */
  const choices: Readonly<Record<string, readonly [expected: string, reason: string]>> = {
    F022: ['10.0.0.2', 'where every hop is trusted, the furthest one is the client'],
    F029: ['fe80::1', 'a zone is local to a machine and no part of an address'],
    F037: ['10.0.0.2', 'text that is no address ends the walk at the last address that was vouched for'],
    F093: ['10.0.0.1', 'a parameter that comes twice makes the field malformed (RFC 7239 section 4)'],
    F097: ['10.0.0.1', 'the proxy wrote one of the two and passed the other on: neither counts'],
  };
  const { cases } = loadCases('forwarded');

  it.each(
    cases.map(
      row =>
        [`${row.id} ${row.note ?? JSON.stringify(row.xff ?? row.forwarded ?? row.headers)}`, row] as const,
    ),
  )('%s', (_title, { id, trust: trusted, remote, xff, forwarded, headers, expect: expected, strength }) => {
    const sent = {
      ...headers,
      ...(xff === undefined ? {} : { 'x-forwarded-for': xff as string | string[] }),
      ...(forwarded === undefined ? {} : { forwarded }),
    };
    const { address } = readClient({ address: remote, encrypted: false }, sent, trust(trusted));
    expect(address).toBe(strength === 'either' ? choices[id]?.[0] : expected);
  });

  it('has no choice that the table does not need', () => {
    const either = cases.filter(({ strength }) => strength === 'either').map(({ id }) => id);
    expect(Object.keys(choices).toSorted()).toEqual(either.toSorted());
  });
});

describe('readClient', () => {
  const proxy = trust('10.0.0.0/8');
  const peer = { address: '10.0.0.1', encrypted: false };
  type Headers = Parameters<typeof readClient>[1];
  const address = (headers: Headers, trusts = proxy): string => readClient(peer, headers, trusts).address;

  const addresses: [title: string, headers: Headers, expected: string][] = [
    ['an address and its port', { 'x-forwarded-for': '192.0.2.1:4711' }, '192.0.2.1'],
    ['an IPv6 address in brackets', { 'x-forwarded-for': '[2001:db8::1]' }, '2001:db8::1'],
    ['an IPv6 address and its port', { 'x-forwarded-for': '[2001:DB8:0::1]:4711' }, '2001:db8::1'],
    ['an IPv4-mapped address', { 'x-forwarded-for': '::ffff:192.0.2.1' }, '192.0.2.1'],
    ['IPv4 in brackets', { 'x-forwarded-for': '[192.0.2.1]' }, '10.0.0.1'],
    [
      'what the client wrote left of an untrusted hop',
      { 'x-forwarded-for': '6.6.6.6, 192.0.2.1, 10.0.0.9' },
      '192.0.2.1',
    ],
    [
      'several lines in their order',
      { 'x-forwarded-for': ['6.6.6.6', '192.0.2.1', '10.0.0.9'] },
      '192.0.2.1',
    ],
    ['a zone', { 'x-forwarded-for': 'fe80::1%eth0' }, '10.0.0.1'],
    ['an empty header', { 'x-forwarded-for': '' }, '10.0.0.1'],
    ['Forwarded', { forwarded: 'for=192.0.2.1' }, '192.0.2.1'],
    ['Forwarded in quotes with a port', { forwarded: 'for="[2001:db8::1]:4711"' }, '2001:db8::1'],
    ['an obfuscated node', { forwarded: 'for=_hidden' }, '10.0.0.1'],
    ['unknown', { forwarded: 'for=unknown, for=10.0.0.2' }, '10.0.0.2'],
    ['an element without for', { forwarded: 'for=192.0.2.1, proto=https' }, '10.0.0.1'],
  ];
  it.each(addresses)('reads %s', (_title, headers, expected) => expect(address(headers)).toBe(expected));

  it('counts hops: one proxy is believed for one address', () => {
    expect(address({ 'x-forwarded-for': '6.6.6.6, 192.0.2.1' }, trust(1))).toBe('192.0.2.1');
    expect(address({ 'x-forwarded-for': '6.6.6.6, 192.0.2.1' }, trust(2))).toBe('6.6.6.6');
  });

  it('calls a function for each hop, the peer first', () => {
    const trusts = jest.fn((_address: string, hop: number) => hop < 2);
    expect(address({ 'x-forwarded-for': '192.0.2.1, 172.16.0.1' }, trust(trusts))).toBe('192.0.2.1');
    expect(trusts.mock.calls).toEqual([
      ['10.0.0.1', 0],
      ['172.16.0.1', 1],
      ['192.0.2.1', 2],
    ]);
  });

  it('walks no further than 32 hops', () => {
    const trusts = jest.fn(() => true);
    address({ 'x-forwarded-for': Array.from({ length: 500 }, () => '10.0.0.2').join(',') }, trust(trusts));
    expect(trusts).toHaveBeenCalledTimes(33);
  });

  type Row = [title: string, headers: Headers, secure: boolean];
  const schemes: Row[] = [
    ['nothing', {}, false],
    ['https', { 'x-forwarded-proto': 'https' }, true],
    ['HTTPS', { 'x-forwarded-proto': 'HTTPS' }, true],
    ['http', { 'x-forwarded-proto': 'http' }, false],
    ['a list that begins with what a client may have sent', { 'x-forwarded-proto': 'https, http' }, false],
    ['a list of one mind', { 'x-forwarded-proto': 'https, https' }, true],
    ['a WebSocket handshake over TLS', { 'x-forwarded-proto': 'wss' }, true],
    ['a WebSocket handshake', { 'x-forwarded-proto': 'WS' }, false],
    ['a list of both spellings', { 'x-forwarded-proto': 'https, wss' }, true],
    ['a list with one that is not encrypted', { 'x-forwarded-proto': 'wss, ws' }, false],
    ['another word', { 'x-forwarded-proto': 'ftps' }, false],
    ['Forwarded of a WebSocket handshake', { forwarded: 'for=192.0.2.1;proto=wss' }, true],
    ['Forwarded', { forwarded: 'for=192.0.2.1;proto=https' }, true],
  ];
  it.each(schemes)('reads the scheme from %s', (_title, headers, secure) =>
    expect(readClient(peer, headers, proxy).secure).toBe(secure),
  );

  it('believes nothing of a peer that is not trusted', () => {
    const headers = {
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.test',
    };
    for (const trusts of [undefined, proxy]) {
      expect(readClient({ address: '203.0.113.9', encrypted: false }, headers, trusts)).toEqual({
        address: '203.0.113.9',
        isFromTrustedProxy: false,
        secure: false,
        forwardedHosts: undefined,
      });
    }
  });

  it('passes on the hosts of a trusted proxy', () => {
    expect(readClient(peer, { 'x-forwarded-host': 'a.test, b.test' }, proxy).forwardedHosts).toEqual([
      'a.test',
      'b.test',
    ]);
    expect(readClient(peer, { forwarded: 'host=a.test;for=192.0.2.1' }, proxy).forwardedHosts).toEqual([
      'a.test',
    ]);
    expect(readClient(peer, {}, proxy).forwardedHosts).toBeUndefined();
  });

  it('reads no host of a list that no chain of proxies writes', () => {
    const hosts = Array.from({ length: 33 }, () => 'a.test');
    expect(
      readClient(peer, { 'x-forwarded-host': hosts.slice(1).join(',') }, proxy).forwardedHosts,
    ).toHaveLength(32);
    expect(readClient(peer, { 'x-forwarded-host': hosts.join(',') }, proxy).forwardedHosts).toEqual(['']);
  });

  it.each(['', ',', ' , ', ',192.0.2.1', '192.0.2.1,', ',,192.0.2.1'])('reads the end of %p', text => {
    const last = text.split(',').at(-1)!.trim();
    expect(address({ 'x-forwarded-for': text })).toBe(last === '' ? '10.0.0.1' : last);
  });

  it('has no address where the transport has none', () => {
    expect(readClient({ address: undefined, encrypted: true }, {}, undefined)).toEqual({
      address: '',
      isFromTrustedProxy: false,
      secure: true,
      forwardedHosts: undefined,
    });
  });
});

describe('hasForwardedHeaders', () => {
  const rows: [title: string, headers: Record<string, string>, expected: boolean][] = [
    ['none', {}, false],
    ['X-Forwarded-For', { 'x-forwarded-for': '1.2.3.4' }, true],
    ['Forwarded', { forwarded: 'for=1.2.3.4' }, true],
    ['another header', { 'x-real-ip': '1.2.3.4' }, false],
  ];
  it.each(rows)('%s', (_title, headers, expected) => expect(hasForwardedHeaders(headers)).toBe(expected));
});
