import { checkHost, type HostClaims, type HostDecision } from '../../src/host/check-host.js';
import { resolveHostPatterns, resolveHosts } from '../../src/host/host.options.js';
import { loadCases } from '../fixtures/load-cases.js';

const { cases } = loadCases('hosts');

/** Where peers and specifications differ, what this package does, and why. */
const CHOICES: Readonly<Record<string, readonly [expected: 'allow' | 'deny', reason: string]>> = {
  H024: ['allow', 'the root dot names the same host'],
  H025: ['allow', 'the root dot names the same host'],
  H030: ['deny', '*.example.com does not cover example.com'],
  H031: ['deny', '*.example.com does not cover example.com'],
  H037: ['allow', 'a wildcard covers subdomains of any depth'],
  H038: ['allow', 'a wildcard covers subdomains of any depth'],
  H048: ['deny', 'a label does not begin with a hyphen'],
  H049: ['allow', 'the root dot names the same host'],
  H075: ['deny', 'an address is listed in one spelling and compared as text'],
  H077: ['deny', 'an address is listed in one spelling and compared as text'],
  H078: ['deny', 'an address is listed in one spelling and compared as text'],
  H086: ['allow', 'the root dot names the same host'],
  H142: ['deny', 'a port is 1 to 65535'],
  H144: ['deny', 'a port is 1 to 65535'],
  H149: ['allow', 'leading zeros of a port change nothing (RFC 3986 section 3.2.3)'],
  H161: ['allow', 'the root dot names the same host'],
  H165: ['deny', 'a label has at most 63 octets'],
  H166: ['deny', 'a name has at most 253 octets'],
};

function checkAgainst(allowed: readonly string[], host: string): 'allow' | 'deny' {
  // `*` is an option of its own here; a pattern that the package rejects at start-up can match nothing.
  const anyHost = allowed.includes('*');
  const listed = allowed.filter(pattern => pattern !== '*' && !pattern.startsWith('.'));
  const patterns = anyHost
    ? undefined
    : resolveHostPatterns('hosts', listed.length === 0 ? ['none.test'] : listed);
  return checkHost({ host, hostLines: 1, target: '/' }, patterns).allowed ? 'allow' : 'deny';
}

describe('the table of hosts', () => {
  const must = cases.filter(({ strength }) => strength === 'must');
  it.each(must.map(row => [`${row.id} ${JSON.stringify(row.host).slice(0, 60)}`, row] as const))(
    '%s',
    (_title, { allowed, host, expect: expected }) => expect(checkAgainst(allowed, host)).toBe(expected),
  );

  const either = cases.filter(({ strength }) => strength === 'either');
  it.each(either.map(row => [`${row.id} ${CHOICES[row.id]?.[0]}: ${CHOICES[row.id]?.[1]}`, row] as const))(
    '%s',
    (_title, { id, allowed, host }) => expect(checkAgainst(allowed, host)).toBe(CHOICES[id]?.[0]),
  );

  it('has no choice that the table does not need', () => {
    expect(Object.keys(CHOICES).toSorted()).toEqual(either.map(({ id }) => id).toSorted());
  });
});

describe('checkHost', () => {
  const patterns = resolveHostPatterns('hosts', ['api.example.com', 'admin.example.com:8443', '*.apps.test']);
  const simple = { hostLines: 1, target: '/' };
  const served = (name: string, port?: number): HostDecision => ({
    allowed: true,
    authority: { name, port },
  });
  const rejected = (reason: string): object => ({ allowed: false, reason });

  type Row = [title: string, claims: HostClaims, expected: object];
  const rows: Row[] = [
    [
      'a listed name in upper case on another port',
      { ...simple, host: 'API.EXAMPLE.COM:443' },
      served('api.example.com', 443),
    ],
    [
      'a name that is listed with its port',
      { ...simple, host: 'admin.example.com:8443' },
      served('admin.example.com', 8443),
    ],
    [
      'a name that is listed with another port',
      { ...simple, host: 'admin.example.com' },
      rejected('not-listed'),
    ],
    ['a subdomain of a wildcard', { ...simple, host: 'a.b.apps.test' }, served('a.b.apps.test')],
    ['the apex of a wildcard', { ...simple, host: 'apps.test' }, rejected('not-listed')],
    ['a name that ends like a wildcard', { ...simple, host: 'evilapps.test' }, rejected('not-listed')],
    ['no host', { ...simple, host: undefined }, rejected('missing')],
    ['an empty host', { ...simple, host: '' }, rejected('missing')],
    ['userinfo', { ...simple, host: 'u@api.example.com' }, rejected('malformed')],
    ['an encoded dot', { ...simple, host: 'api%2eexample.com' }, rejected('malformed')],
    [
      'two Host lines, even equal ones',
      { host: 'api.example.com', hostLines: 2, target: '/' },
      rejected('duplicate'),
    ],
    [
      'an absolute-form target of the same host',
      { ...simple, host: 'api.example.com', target: 'http://api.example.com/x' },
      served('api.example.com'),
    ],
    [
      'an absolute-form target with the default port written out',
      { ...simple, host: 'api.example.com', target: 'https://api.example.com:443/x' },
      served('api.example.com'),
    ],
    [
      'an absolute-form target of another host',
      { ...simple, host: 'api.example.com', target: 'http://evil.test/x' },
      rejected('conflict'),
    ],
    [
      'an absolute-form target of a listed host under another Host',
      { ...simple, host: 'evil.test', target: 'http://api.example.com/' },
      rejected('conflict'),
    ],
    [
      'an absolute-form target with userinfo',
      { ...simple, host: 'api.example.com', target: 'http://api.example.com@evil.test/' },
      rejected('conflict'),
    ],
    [
      'an absolute-form target of another scheme',
      { ...simple, host: 'api.example.com', target: 'ftp://api.example.com/' },
      rejected('conflict'),
    ],
    ['the asterisk form', { ...simple, host: 'api.example.com', target: '*' }, served('api.example.com')],
    [
      'a listed forwarded host with an unlisted Host',
      { ...simple, host: 'internal.local', forwardedHosts: ['api.example.com'] },
      served('api.example.com'),
    ],
    [
      'an unlisted forwarded host with a listed Host',
      { ...simple, host: 'api.example.com', forwardedHosts: ['evil.test'] },
      rejected('not-listed'),
    ],
    [
      'a list of forwarded hosts of which one is not listed',
      { ...simple, host: 'api.example.com', forwardedHosts: ['api.example.com', 'evil.test'] },
      rejected('not-listed'),
    ],
    [
      'a malformed forwarded host',
      { ...simple, host: 'api.example.com', forwardedHosts: ['api.example.com/x'] },
      rejected('malformed'),
    ],
  ];
  it.each(rows)('%s', (_title, claims, expected) => expect(checkHost(claims, patterns)).toEqual(expected));

  it('accepts every well-formed host without patterns, and no malformed one', () => {
    expect(checkHost({ ...simple, host: 'anything.test:1' }, undefined).allowed).toBe(true);
    expect(checkHost({ ...simple, host: 'a b' }, undefined)).toEqual(rejected('malformed'));
  });
});

describe('the default hosts', () => {
  const resolved = resolveHosts(undefined, () => undefined);
  const rows: [host: string, allowed: boolean][] = [
    ['localhost', true],
    ['localhost:3000', true],
    ['app.localhost:3000', true],
    ['127.0.0.1:3000', true],
    ['[::1]:3000', true],
    ['[0:0:0:0:0:0:0:1]:3000', true],
    ['evil.com:3000', false],
    ['0.0.0.0:3000', false],
    ['127.0.0.2', false],
    ['[::ffff:127.0.0.1]', false],
    ['localhost.evil.com', false],
  ];
  it.each(rows)('%s: %s', (host, allowed) => {
    if (resolved === false) throw new Error('the host check is on by default');
    expect(checkHost({ host, hostLines: 1, target: '/' }, resolved.patterns).allowed).toBe(allowed);
  });
});
