import { AgentSecurityConfigError, type ConfigErrorCode } from '../../src/common/config-error.js';
import { type ResolvedCors, resolveCors } from '../../src/cors/cors.options.js';
import { isAllowedOrigin } from '../../src/cors/decide-cors.js';
import { loadCases } from '../fixtures/load-cases.js';

const noVariables = (): undefined => undefined;
const resolve = (options: unknown): ResolvedCors =>
  resolveCors(options, noVariables, 'X-Request-ID') as ResolvedCors;

/** The code that a configuration is rejected with, or `accepted`. */
function outcome(options: unknown): ConfigErrorCode | 'accepted' {
  try {
    resolve(options);
    return 'accepted';
  } catch (error) {
    if (error instanceof AgentSecurityConfigError) return error.code;
    throw error;
  }
}

describe('the configurations of the table', () => {
  /** Each row of the table as an options object, and what becomes of it here. */
  const read: Readonly<Record<string, readonly [options: unknown, outcome: ConfigErrorCode | 'accepted']>> = {
    'origins:["https://example.com/path"]': [
      { origins: ['https://example.com/path'] },
      'ASEC_ORIGIN_INVALID',
    ],
    'origins:["example.com"]': [{ origins: ['example.com'] }, 'ASEC_ORIGIN_INVALID'],
    'origins:["https://ex ample.com"]': [{ origins: ['https://ex ample.com'] }, 'ASEC_ORIGIN_INVALID'],
    'origins:[""]': [{ origins: [''] }, 'ASEC_ORIGIN_INVALID'],
    'origins:["https://résumé.com"]': [{ origins: ['https://résumé.com'] }, 'ASEC_ORIGIN_INVALID'],
    'origins:["https://*.com"], credentials:true': [
      { origins: ['https://*.com'], credentials: true },
      'ASEC_ORIGIN_WILDCARD',
    ],
    'origins:["http://*.127.0.0.1"]': [{ origins: ['http://*.127.0.0.1'] }, 'ASEC_ORIGIN_WILDCARD'],
    'origins:["http://*.[::1]"]': [{ origins: ['http://*.[::1]'] }, 'ASEC_ORIGIN_WILDCARD'],
    'origins:["http://127.1:3999"]': [{ origins: ['http://127.1:3999'] }, 'ASEC_ORIGIN_INVALID'],
    'origins:["http://[2001:4860:4860:0000:0000:0000:0000:8888]:90"]': [
      { origins: ['http://[2001:4860:4860:0000:0000:0000:0000:8888]:90'] },
      'ASEC_ORIGIN_INVALID',
    ],
    'origins:["http://foo.bar.255:6060"]': [{ origins: ['http://foo.bar.255:6060'] }, 'ASEC_ORIGIN_INVALID'],
    // There are no patterns here but the wildcard: a regular expression is rejected, anchored or not.
    'origins: regexp without ^ and $ (/example\\.com/)': [{ origins: [/example\.com/] }, 'ASEC_OPTION_TYPE'],
    'origins: regexp /^https:\\/\\/(a+)+\\.example\\.com$/ on 50 k long Origin': [
      { origins: [/^https:\/\/(a+)+\.example\.com$/] },
      'ASEC_OPTION_TYPE',
    ],
    'maxAge: -2': [{ maxAge: -2 }, 'ASEC_OPTION_RANGE'],
    // Firefox is the most patient browser, with 86400 s.
    'maxAge: 86401': [{ maxAge: 86_401 }, 'ASEC_OPTION_RANGE'],
    'exposedHeaders:["*"], credentials:true': [
      { exposedHeaders: ['*'], credentials: true },
      'ASEC_CORS_HEADER',
    ],
    'allowedHeaders:["*"], credentials:true': [
      { allowedHeaders: ['*'], credentials: true },
      'ASEC_CORS_HEADER',
    ],
    'exposedHeaders:["Set-Cookie"]': [{ exposedHeaders: ['Set-Cookie'] }, 'ASEC_CORS_HEADER'],
    'allowedHeaders:["Sec-Foo"]': [{ allowedHeaders: ['Sec-Foo'] }, 'ASEC_CORS_HEADER'],
  };

  it.each(loadCases('cors').startupConfig.map(({ config }) => config))('%s', config => {
    const [options, expected] = read[config] ?? [undefined, undefined];
    expect(expected).toBeDefined();
    expect(outcome(options)).toBe(expected);
  });
});

describe('origins', () => {
  type Row = [title: string, options: unknown, code: ConfigErrorCode];
  const rejected: Row[] = [
    ['a slash at the end', { origins: ['https://a.test/'] }, 'ASEC_ORIGIN_INVALID'],
    ['a query', { origins: ['https://a.test?x'] }, 'ASEC_ORIGIN_INVALID'],
    ['a fragment', { origins: ['https://a.test#x'] }, 'ASEC_ORIGIN_INVALID'],
    ['userinfo', { origins: ['https://u@a.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['a host without a scheme', { origins: ['//a.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['one slash', { origins: ['https:/a.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['no host', { origins: ['https://'] }, 'ASEC_ORIGIN_INVALID'],
    ['port 0', { origins: ['https://a.test:0'] }, 'ASEC_ORIGIN_INVALID'],
    ['a port beyond the last', { origins: ['https://a.test:65536'] }, 'ASEC_ORIGIN_INVALID'],
    ['a wildcard for a port', { origins: ['http://localhost:*'] }, 'ASEC_ORIGIN_INVALID'],
    ['an empty port', { origins: ['https://a.test:'] }, 'ASEC_ORIGIN_INVALID'],
    ['an empty label', { origins: ['https://a..test'] }, 'ASEC_ORIGIN_INVALID'],
    ['a wildcard in the middle', { origins: ['https://a.*.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['a wildcard inside of a label', { origins: ['https://a*.b.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['two wildcards', { origins: ['https://*.*.a.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['a wildcard scheme', { origins: ['*://a.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['a wildcard for a host', { origins: ['https://*'] }, 'ASEC_ORIGIN_INVALID'],
    ['a wildcard over a whole zone', { origins: ['https://*.io'] }, 'ASEC_ORIGIN_WILDCARD'],
    ['a hexadecimal address', { origins: ['http://0x7f.0.0.1'] }, 'ASEC_ORIGIN_INVALID'],
    ['a number for an address', { origins: ['http://2130706433'] }, 'ASEC_ORIGIN_INVALID'],
    ['an IPv6 zone', { origins: ['http://[fe80::1%eth0]'] }, 'ASEC_ORIGIN_INVALID'],
    ['spaces around it', { origins: [' https://a.test '] }, 'ASEC_ORIGIN_INVALID'],
    ['a comma list in one item', { origins: ['https://a.test,https://b.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['"*" beside others', { origins: ['*', 'https://a.test'] }, 'ASEC_ORIGIN_INVALID'],
    ['"*" with credentials', { origins: '*', credentials: true }, 'ASEC_CORS_ANY_WITH_CREDENTIALS'],
    ['["*"] with credentials', { origins: ['*'], credentials: true }, 'ASEC_CORS_ANY_WITH_CREDENTIALS'],
    ['true', { origins: true }, 'ASEC_OPTION_TYPE'],
    ['a function', { origins: () => true }, 'ASEC_OPTION_TYPE'],
    ['a number', { origins: 1 }, 'ASEC_OPTION_TYPE'],
  ];
  it.each(rejected)('rejects %s', (_title, options, code) => expect(outcome(options)).toBe(code));

  type Allowed = [title: string, listed: string, origin: string, allowed: boolean];
  const allowed: Allowed[] = [
    ['as listed', 'https://a.test', 'https://a.test', true],
    ['listed in upper case', 'HTTPS://A.test', 'https://a.test', true],
    ['listed with the default port', 'https://a.test:443', 'https://a.test', true],
    ['listed with the default port of http', 'http://a.test:80', 'http://a.test', true],
    ['listed with a port', 'http://localhost:3000', 'http://localhost:3000', true],
    ['a scheme of an app', 'app://bundle', 'app://bundle', true],
    ['an IPv6 address', 'http://[::1]:3000', 'http://[::1]:3000', true],
    ['an IPv4 address', 'http://127.0.0.1:3000', 'http://127.0.0.1:3000', true],
    ['null', 'null', 'null', true],
    ['a subdomain of localhost', 'http://*.localhost:3000', 'http://a.localhost:3000', true],
    ['listed in upper case, sent in upper case', 'https://A.test', 'https://A.test', false],
  ];
  it.each(allowed)('%s', (_title, listed, origin, expected) =>
    expect(isAllowedOrigin(origin, resolve({ origins: [listed] }))).toBe(expected),
  );
});

describe('methods and headers', () => {
  type Row = [title: string, options: unknown, code: ConfigErrorCode];
  const rejected: Row[] = [
    ['the method TRACE', { methods: ['TRACE'] }, 'ASEC_CORS_METHOD'],
    ['the method CONNECT', { methods: ['GET', 'CONNECT'] }, 'ASEC_CORS_METHOD'],
    ['a lower-case method', { methods: ['patch'] }, 'ASEC_CORS_METHOD'],
    ['a method with a space', { methods: ['GET POST'] }, 'ASEC_CORS_METHOD'],
    ['an empty method', { methods: [''] }, 'ASEC_CORS_METHOD'],
    ['a request header that browsers keep', { allowedHeaders: ['Cookie'] }, 'ASEC_CORS_HEADER'],
    ['a request header with a line break', { allowedHeaders: ['X-A\r\nX-B'] }, 'ASEC_CORS_HEADER'],
    ['a list in one request header', { allowedHeaders: ['X-A, X-B'] }, 'ASEC_CORS_HEADER'],
    ['an empty response header', { exposedHeaders: [''] }, 'ASEC_CORS_HEADER'],
  ];
  it.each(rejected)('rejects %s', (_title, options, code) => expect(outcome(options)).toBe(code));

  it('may be wildcards without credentials', () => {
    expect(resolve({ allowedHeaders: ['*'], exposedHeaders: ['*'] })).toMatchObject({
      allowHeaders: '*',
      exposeHeaders: '*',
    });
  });

  it('has the defaults that agents need', () => {
    const { allowHeaders, exposeHeaders, allowMethods, maxAge, credentials, exact } = resolve(undefined);
    expect(allowHeaders).toBe(
      'Authorization, Content-Type, Accept, Cache-Control, X-API-Key, X-Request-ID, Idempotency-Key, Last-Event-ID, ' +
        'traceparent, tracestate, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name',
    );
    expect(exposeHeaders).toBe(
      'X-Request-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, RateLimit, RateLimit-Policy, ' +
        'Retry-After, WWW-Authenticate, X-Token-Expired, Mcp-Session-Id',
    );
    expect([allowMethods, maxAge, credentials, exact.size]).toEqual([
      'GET, HEAD, POST, PUT, PATCH, DELETE',
      '600',
      false,
      0,
    ]);
  });

  it('allows and exposes a request ID header of another name', () => {
    const named = resolveCors({}, noVariables, 'X-Correlation-ID') as ResolvedCors;
    expect(named.allowHeaders).toContain('X-Correlation-ID');
    expect(named.exposeHeaders).toContain('X-Correlation-ID');
    expect((resolveCors({}, noVariables, undefined) as ResolvedCors).exposeHeaders).not.toContain(
      'X-Request-ID',
    );
  });
});

describe('the environment', () => {
  const variables =
    (values: Readonly<Record<string, string>>) =>
    (name: string): string | undefined =>
      values[name];

  it('is read where the options are silent', () => {
    const resolved = resolveCors(
      undefined,
      variables({
        CORS_ORIGINS: 'https://a.test, https://b.test',
        CORS_CREDENTIALS: 'true',
        CORS_MAX_AGE: '60',
      }),
      undefined,
    ) as ResolvedCors;
    expect([...resolved.exact]).toEqual(['https://a.test', 'https://b.test']);
    expect([resolved.credentials, resolved.maxAge]).toEqual([true, '60']);
  });

  it('gives way to the options', () => {
    const resolved = resolveCors(
      { origins: ['https://c.test'], credentials: false, maxAge: 0 },
      variables({ CORS_ORIGINS: 'https://a.test', CORS_CREDENTIALS: 'true', CORS_MAX_AGE: '60' }),
      undefined,
    ) as ResolvedCors;
    expect([[...resolved.exact], resolved.credentials, resolved.maxAge]).toEqual([
      ['https://c.test'],
      false,
      '0',
    ]);
  });

  it('names the variable in an error', () => {
    expect(() => resolveCors({}, variables({ CORS_ORIGINS: 'a.test' }), undefined)).toThrow(
      /^CORS_ORIGINS\[0\] /,
    );
    expect(() => resolveCors({}, variables({ CORS_ORIGINS: '*', CORS_CREDENTIALS: '1' }), undefined)).toThrow(
      /^CORS_ORIGINS must not be "\*" together with credentials/,
    );
  });
});
