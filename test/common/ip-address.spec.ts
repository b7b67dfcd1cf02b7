import { isIP, isIPv4 } from 'node:net';
import fc from 'fast-check';
import { addressBlock, addressKey, canonicalAddress } from '../../src/common/ip-address.js';
import { loadCases } from '../fixtures/load-cases.js';

const SEED = 20_260;
const key = (address: string): string => {
  const found = addressKey(address);
  return found === undefined ? 'none' : `${found.hi}/${found.lo}`;
};

describe('addresses that share a quota', () => {
  const { bucketKeys } = loadCases('forwarded');
  it.each(bucketKeys.map(row => [`${row.a} and ${row.b}: ${row.expect}`, row] as const))(
    '%s',
    (_title, { a, b, expect: expected }) => {
      // The contested row is a /56 with two /64 in it: here the /64 decides.
      const same = expected === 'same bucket';
      expect(key(a) === key(b)).toBe(same);
      expect(addressBlock(a) === addressBlock(b)).toBe(same);
    },
  );

  it('are all addresses of a /64, and none outside', () => {
    const inside = Array.from({ length: 100 }, (_, index) => `2001:db8:1:2::${(index * 600).toString(16)}`);
    expect(new Set(inside.map(key)).size).toBe(1);
    expect(key('2001:db8:1:3::1')).not.toBe(key(inside[0]!));
  });
});

describe('canonicalAddress', () => {
  const rows: [title: string, text: string, expected: string | undefined][] = [
    ['IPv4', '192.0.2.1', '192.0.2.1'],
    ['IPv4-mapped', '::ffff:192.0.2.1', '192.0.2.1'],
    ['IPv4-mapped in hex', '::FFFF:C000:201', '192.0.2.1'],
    ['upper case and zeros', '2001:0DB8:0:0::1', '2001:db8::1'],
    ['a zone', 'fe80::1%eth0', 'fe80::1'],
    ['an IPv4 short form', '127.1', undefined],
    ['an octet with a leading zero', '127.0.0.01', undefined],
    ['a zone on IPv4', '127.0.0.1%lo', undefined],
    ['a port', '192.0.2.1:80', undefined],
    ['a prefix', '192.0.2.0/24', undefined],
    ['text', 'unknown', undefined],
    ['nothing', '', undefined],
  ];
  it.each(rows)('%s', (_title, text, expected) => expect(canonicalAddress(text)).toBe(expected));
});

describe('addressBlock', () => {
  const rows: [title: string, text: string, expected: string][] = [
    ['IPv4 is its own block', '203.0.113.7', '203.0.113.7'],
    ['IPv6 by its /64', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['text that is no address stays', 'unix:', 'unix:'],
  ];
  it.each(rows)('%s', (_title, text, expected) => expect(addressBlock(text)).toBe(expected));
});

describe('addressKey', () => {
  it('is exact for IPv4: the address and nothing else', () => {
    fc.assert(
      fc.property(fc.ipV4(), address => {
        const number = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
        expect(addressKey(address)).toEqual({ hi: 0xffff, lo: number | 0 });
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it('agrees with addressBlock on every pair of addresses', () => {
    const near = fc
      .tuple(
        fc.constantFrom('2001:db8', '2001:DB8', '::ffff'),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 3 }),
      )
      .map(([prefix, a, b]) => (prefix === '::ffff' ? `::ffff:${a}.0.0.${b}` : `${prefix}:0:${a}::${b}`));
    const address = fc.oneof(fc.ipV4(), fc.ipV6(), near);
    fc.assert(
      fc.property(address, address, (a, b) => {
        expect(key(a) === key(b)).toBe(addressBlock(a) === addressBlock(b));
      }),
      { seed: SEED, numRuns: 5_000 },
    );
  });

  it('reads exactly what node:net calls an address, whatever is thrown at it', () => {
    const token = fc.constantFrom(
      '0',
      '1',
      '255',
      '256',
      '01',
      '.',
      '.',
      '.',
      ':',
      '::',
      'ffff',
      'g',
      '%eth0',
      ' ',
      '/',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), tokens => {
        const text = tokens.join('');
        const address = isIPv4(text) || isIP(text.split('%')[0]!) === 6;
        expect(addressKey(text) !== undefined).toBe(address);
        expect(canonicalAddress(text) !== undefined).toBe(address);
      }),
      { seed: SEED, numRuns: 20_000 },
    );
  });
});
