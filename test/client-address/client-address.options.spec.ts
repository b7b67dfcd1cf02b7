import { resolveTrustProxy } from '../../src/client-address/client-address.options.js';
import { AgentSecurityConfigError } from '../../src/common/config-error.js';

const resolve = (input: unknown, variable?: string) =>
  resolveTrustProxy(input, name => (name === 'TRUST_PROXY' ? variable : undefined));

function code(input: unknown, variable?: string): string {
  try {
    resolve(input, variable);
    return 'accepted';
  } catch (error) {
    return error instanceof AgentSecurityConfigError ? error.code : String(error);
  }
}

describe('trustProxy', () => {
  it.each([[undefined], [false], [0]])('%p trusts no proxy', input => expect(resolve(input)).toBeUndefined());

  type Row = [title: string, input: unknown, address: string, hop: number, trusted: boolean];
  const rows: Row[] = [
    ['loopback', 'loopback', '127.0.0.1', 0, true],
    ['loopback, IPv6', 'loopback', '::1', 0, true],
    ['loopback and another address', 'loopback', '10.0.0.1', 0, false],
    ['a network', '10.0.0.0/8', '10.255.0.1', 3, true],
    ['a network and an address outside of it', '10.0.0.0/8', '11.0.0.1', 0, false],
    ['several, comma-separated', 'loopback, 192.0.2.0/24', '192.0.2.7', 0, true],
    ['a list', ['fd00::/8', '192.0.2.1'], 'fd00::1', 0, true],
    ['one hop: the peer', 1, '203.0.113.1', 0, true],
    ['one hop: what the peer named', 1, '203.0.113.1', 1, false],
    ['a function', (address: string) => address === '192.0.2.1', '192.0.2.1', 0, true],
  ];
  it.each(rows)('%s', (_title, input, address, hop, trusted) =>
    expect(resolve(input)!.trusts(address, hop)).toBe(trusted),
  );

  it('an object takes the proxies from the environment, if it names none', () => {
    const { trusts, header } = resolve({ header: 'Forwarded' }, '10.0.0.0/8')!;
    expect([header, trusts('10.0.0.1', 0), trusts('11.0.0.1', 0)]).toEqual(['Forwarded', true, false]);
    expect(resolve({ proxies: false, header: 'Forwarded' }, '1')).toBeUndefined();
  });

  const rejected: [title: string, input: unknown, code: string][] = [
    ['true', true, 'ASEC_TRUST_ALL'],
    ['-1', -1, 'ASEC_OPTION_RANGE'],
    ['NaN', NaN, 'ASEC_OPTION_RANGE'],
    ['Infinity', Infinity, 'ASEC_OPTION_RANGE'],
    ['1.5', 1.5, 'ASEC_OPTION_RANGE'],
    ['33 hops', 33, 'ASEC_OPTION_RANGE'],
    ['null', null, 'ASEC_TRUST_INVALID'],
    ['an object with an unknown key', { proxy: 1 }, 'ASEC_OPTION_UNKNOWN'],
    ['proxies: true', { proxies: true }, 'ASEC_TRUST_ALL'],
    ['proxies: a name', { proxies: 'proxy.local' }, 'ASEC_TRUST_INVALID'],
    ['another header', { proxies: 1, header: 'X-Real-IP' }, 'ASEC_OPTION_TYPE'],
    ['a promise', Promise.resolve(1), 'ASEC_OPTION_TYPE'],
    ['an empty list', [], 'ASEC_TRUST_INVALID'],
    ['an empty text', '', 'ASEC_TRUST_INVALID'],
    ['a number in a list', [1], 'ASEC_TRUST_INVALID'],
    ['a name', 'proxy.local', 'ASEC_TRUST_INVALID'],
    ['a count as text, which is also a spelling of 0.0.0.2', '2', 'ASEC_TRUST_INVALID'],
    ['a short spelling of an address', '10.1', 'ASEC_TRUST_INVALID'],
    ['every IPv4 address', '0.0.0.0/0', 'ASEC_TRUST_INVALID'],
    ['every IPv4 address from another end', '10.0.0.0/0', 'ASEC_TRUST_INVALID'],
    ['every IPv4 address by its mask', '10.0.0.0/0.0.0.0', 'ASEC_TRUST_INVALID'],
    ['every IPv4 address, mapped', '::ffff:0.0.0.0/96', 'ASEC_TRUST_INVALID'],
    ['every IPv6 address', ['loopback', '::/0'], 'ASEC_TRUST_INVALID'],
    ['every IPv6 address, in another spelling', '0:0::/0', 'ASEC_TRUST_INVALID'],
    ['a prefix that is too long', '10.0.0.0/33', 'ASEC_TRUST_INVALID'],
  ];
  it.each(rejected)('rejects %s', (_title, input, expected) => expect(code(input)).toBe(expected));
});

describe('TRUST_PROXY', () => {
  it.each([undefined, '', ' ', 'false', '0'])('%p trusts no proxy', text =>
    expect(resolve(undefined, text)).toBeUndefined(),
  );

  it('accepts a number of hops, and networks', () => {
    expect(resolve(undefined, '2')!.trusts('203.0.113.1', 1)).toBe(true);
    expect(resolve(undefined, ' loopback,10.0.0.0/8 ')!.trusts('10.1.2.3', 0)).toBe(true);
  });

  it.each([
    ['true', 'ASEC_TRUST_ALL'],
    ['-1', 'ASEC_TRUST_INVALID'],
    ['1.5', 'ASEC_TRUST_INVALID'],
    ['99', 'ASEC_OPTION_RANGE'],
    ['everybody', 'ASEC_TRUST_INVALID'],
  ])('rejects %s', (text, expected) => expect(code(undefined, text)).toBe(expected));

  it('gives way to the option', () => expect(resolve(false, 'loopback')).toBeUndefined());
});
