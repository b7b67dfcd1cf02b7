import { isSameOrigin, readOrigin } from '../../src/cors/origin.js';

describe('readOrigin', () => {
  type Row = [title: string, text: string, expected: ReturnType<typeof readOrigin>];
  const rows: Row[] = [
    ['https', 'https://app.example.com', { scheme: 'https', name: 'app.example.com', port: undefined }],
    ['a port', 'http://localhost:3000', { scheme: 'http', name: 'localhost', port: 3000 }],
    ['IPv6', 'http://[::1]:3000', { scheme: 'http', name: '[::1]', port: 3000 }],
    [
      'an extension',
      'chrome-extension://abcdef',
      { scheme: 'chrome-extension', name: 'abcdef', port: undefined },
    ],
    ['the other default port', 'http://a.test:443', { scheme: 'http', name: 'a.test', port: 443 }],
    ['a port of another scheme', 'app://localhost:3000', { scheme: 'app', name: 'localhost', port: 3000 }],
    ...['.', '-', 'A1B2C3D4-E5F6', 'my_app~1'].map((name): Row => [
      `the opaque host ${name}`,
      `app://${name}`,
      { scheme: 'app', name, port: undefined },
    ]),
    ['an opaque host with a source list', 'app://a;b', undefined],
    ['an opaque host with a wildcard', 'app://*', undefined],
    ['an opaque host with a slash', 'app://-/', undefined],
    ['no host of another scheme', 'app://', undefined],
    ['every local file', 'file://', undefined],
    ['a host of a file', 'file://.', undefined],
    ['a dot as a name', 'https://.', undefined],
    ['null', 'null', undefined],
    ['nothing', '', undefined],
    ['the default port of https', 'https://app.example.com:443', undefined],
    ['the default port of http', 'http://app.example.com:80', undefined],
    ['a leading zero in the port', 'http://localhost:0300', undefined],
    ['upper case', 'https://App.example.com', undefined],
    ['an upper-case scheme', 'HTTPS://app.example.com', undefined],
    ['the root dot', 'https://app.example.com.', undefined],
    ['a slash', 'https://app.example.com/', undefined],
    ['a path', 'https://app.example.com/x', undefined],
    ['a query', 'https://app.example.com?x', undefined],
    ['userinfo', 'https://u@app.example.com', undefined],
    ['a list', 'https://a.test, https://b.test', undefined],
    ['two origins', 'https://a.test https://b.test', undefined],
    ['no scheme', 'app.example.com', undefined],
    ['no host', 'https://', undefined],
    ['an empty scheme', '://a.test', undefined],
    ['a long IPv6 spelling', 'http://[0:0:0:0:0:0:0:1]', undefined],
    ['a backslash', 'https://a.test\\b.test', undefined],
    ['more than 512 characters', `https://${'a.'.repeat(300)}test`, undefined],
  ];
  it.each(rows)('%s', (_title, text, expected) => expect(readOrigin(text)).toEqual(expected));
});

describe('isSameOrigin', () => {
  type Row = [title: string, origin: string, host: [string, number?], secure: boolean, expected: boolean];
  const rows: Row[] = [
    ['the same host over HTTPS', 'https://a.test', ['a.test'], true, true],
    ['the same host over HTTP', 'http://a.test', ['a.test'], false, true],
    ['behind a proxy that terminates TLS', 'https://a.test', ['a.test'], false, true],
    ['an HTTP page against HTTPS', 'http://a.test', ['a.test'], true, false],
    ['the same port', 'http://a.test:3000', ['a.test', 3000], false, true],
    ['the default port written out in Host', 'https://a.test', ['a.test', 443], true, true],
    ['another port', 'https://a.test:8443', ['a.test'], true, false],
    ['another name', 'https://b.test', ['a.test'], true, false],
    ['a scheme without a default port', 'app://a.test', ['a.test'], false, false],
  ];
  it.each(rows)('%s', (_title, origin, [name, port], secure, expected) =>
    expect(isSameOrigin(readOrigin(origin)!, { name, port }, secure)).toBe(expected),
  );
});
