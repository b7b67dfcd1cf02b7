import { readAuthority } from '../../src/common/authority.js';

type Row = [title: string, text: string, expected: ReturnType<typeof readAuthority>];

const label63 = 'a'.repeat(63);
const name253 = [label63, label63, label63, 'a'.repeat(61)].join('.');

const rows: Row[] = [
  ['a name', 'localhost', { name: 'localhost', port: undefined }],
  ['a name and a port', 'localhost:3000', { name: 'localhost', port: 3000 }],
  ['upper case', 'API.Example.COM', { name: 'api.example.com', port: undefined }],
  ['the root dot', 'example.com.', { name: 'example.com', port: undefined }],
  ['an underscore', 'my_service:80', { name: 'my_service', port: 80 }],
  ['an IPv4 address', '127.0.0.1:80', { name: '127.0.0.1', port: 80 }],
  ['an IPv6 address', '[::1]:80', { name: '[::1]', port: 80 }],
  ['a long spelling of an IPv6 address', '[0:0:0:0:0:0:0:1]', { name: '[::1]', port: undefined }],
  ['an upper-case IPv6 address', '[2001:DB8::A]', { name: '[2001:db8::a]', port: undefined }],
  ['an IPv4-mapped address', '[::FFFF:1.2.3.4]', { name: '[::ffff:1.2.3.4]', port: undefined }],
  ['an IPv4-mapped address in hex', '[::ffff:102:304]', { name: '[::ffff:1.2.3.4]', port: undefined }],
  ['the highest port', 'a:65535', { name: 'a', port: 65_535 }],
  ['a label of 63', label63, { name: label63, port: undefined }],
  ['a name of 253', name253, { name: name253, port: undefined }],
  ['nothing', '', undefined],
  ['a lone dot', '.', undefined],
  ['an empty label', 'a..b', undefined],
  ['two root dots', 'a..', undefined],
  ['a label of 64', `${label63}a`, undefined],
  ['a name of 254', `${name253}a`, undefined],
  ['a label that begins with a hyphen', '-a.test', undefined],
  ['a label that ends with a hyphen', 'a-.test', undefined],
  ['no name before the port', ':80', undefined],
  ['an empty port', 'a:', undefined],
  ['port 0', 'a:0', undefined],
  ['a port beyond the last', 'a:65536', undefined],
  ['six digits of port', 'a:000080', undefined],
  ['a sign in the port', 'a:+80', undefined],
  ['a line break after the port', 'a:80\n', undefined],
  ['two ports', 'a:80:80', undefined],
  ['userinfo', 'u@a', undefined],
  ['userinfo with a password', 'u:p@a', undefined],
  ['a path', 'a/b', undefined],
  ['a query', 'a?b', undefined],
  ['a fragment', 'a#b', undefined],
  ['a backslash', 'a\\b', undefined],
  ['a list', 'a,b', undefined],
  ['a space', 'a b', undefined],
  ['a percent escape', 'a%2eb', undefined],
  ['a NUL', 'a\u0000', undefined],
  ['a letter beyond ASCII', 'é', undefined],
  ['a full-width dot', 'a．b', undefined],
  ['an unclosed bracket', '[::1', undefined],
  ['empty brackets', '[]', undefined],
  ['IPv4 in brackets', '[127.0.0.1]', undefined],
  ['an IPv6 zone', '[fe80::1%eth0]', undefined],
  ['text after the bracket', '[::1]evil.com', undefined],
  ['IPv6 without brackets', '::1', undefined],
];

describe('readAuthority', () => {
  it.each(rows)('%s', (_title, text, expected) => expect(readAuthority(text)).toEqual(expected));
});
