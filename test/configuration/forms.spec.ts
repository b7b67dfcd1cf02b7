/* Options as users of helmet, cors, @nestjs/throttler, express-rate-limit, Fastify and Nest itself write them: each means what was meant,
 * or stops the start-up with what to write. */
import { AgentSecurityModule, RateLimit, type RateLimitInput } from '../../src/index.js';
import { errorOf } from '../support/option-keys.js';
import { rejection, resolve, type Variables } from '../support/configuration.js';

const A = 'https://a.example.com';
const B = 'https://b.example.com';

type Short = [title: string, key: string, short: unknown, long: unknown];

describe('a short form means the same as the long one', () => {
  const rows: Short[] = [
    ['one host', 'hosts', 'a.test', { allow: ['a.test'] }],
    ['hosts in one text', 'hosts', 'a.test, b.test', { allow: ['a.test', 'b.test'] }],
    ['hosts.allow in one text', 'hosts', { allow: 'a.test b.test' }, { allow: ['a.test', 'b.test'] }],
    ['one exempt path', 'hosts', { exemptPaths: '/healthz' }, { exemptPaths: ['/healthz'] }],
    ['one origin', 'cors', A, { origins: [A] }],
    ['a list of origins', 'cors', [A, B], { origins: [A, B] }],
    ['origins in one text', 'cors', { origins: `${A}, ${B}` }, { origins: [A, B] }],
    ['every origin', 'cors', '*', { origins: '*' }],
    ['the methods of cors', 'cors', { methods: 'GET,PATCH' }, { methods: ['GET', 'PATCH'] }],
    ['the headers of cors', 'cors', { allowedHeaders: 'Accept, X-A' }, { allowedHeaders: ['Accept', 'X-A'] }],
    [
      'the exposed headers of cors',
      'cors',
      { exposedHeaders: 'X-A,X-B' },
      { exposedHeaders: ['X-A', 'X-B'] },
    ],
    ['maxAge as a duration', 'cors', { maxAge: '10 minutes' }, { maxAge: 600 }],
    ['headers: true', 'headers', true, {}],
    ['requestId: true', 'requestId', true, {}],
    ['the header of the request ID', 'requestId', 'X-Correlation-ID', { header: 'X-Correlation-ID' }],
    ['rateLimit: true', 'rateLimit', true, {}],
    ['one limit', 'rateLimit', '100/minute', { limits: '100/minute' }],
    ['several limits', 'rateLimit', ['5/second', '100/minute'], { limits: ['5/second', '100/minute'] }],
    ['errors: true', 'errors', true, {}],
    ['body: true', 'body', true, {}],
    ['the size of bodies', 'body', '1mb', { maxBytes: '1mb' }],
    ['the size of bodies as a number', 'body', 1024, { maxBytes: 1024 }],
    ['mcp: true', 'mcp', true, {}],
    ['one path of MCP', 'mcp', '/mcp', { path: '/mcp' }],
    ['paths of MCP', 'mcp', ['/a', '/b'], { path: ['/a', '/b'] }],
    ['one origin of MCP', 'mcp', { origins: 'localhost' }, { origins: ['localhost'] }],
    ['tools: true', 'tools', true, {}],
    ['audit: true', 'audit', true, {}],
    ['the audit file', 'audit', 'audit.log', { file: 'audit.log' }],
    ['url: true', 'url', true, {}],
    ['one method', 'methods', 'GET', ['GET']],
    ['methods in one text', 'methods', 'GET, POST', ['GET', 'POST']],
    ['the time of handlers', 'timeout', '30s', { handler: '30s' }],
    ['the path of reports', 'cspReports', '/reports', { path: '/reports' }],
    ['logging: true', 'logging', true, {}],
    ['the level of logging', 'logging', 'warn', { level: 'warn' }],
  ];
  it.each(rows)('%s', (_title, key, short, long) => {
    const resolved = (input: unknown) => resolve({ [key]: input })[key as 'hosts'];
    const members = (input: unknown) => ({
      ...(resolved(input) as object),
      setting: undefined,
      generate: undefined,
    });
    expect(members(short)).toEqual(members(long));
    expect(resolved(short)).not.toBe(false);
  });
});

describe('values of headers may stand alone', () => {
  const rows: [title: string, short: object, long: object][] = [
    ['referrerPolicy', { referrerPolicy: 'origin' }, { referrerPolicy: { policy: 'origin' } }],
    [
      'a list for referrerPolicy',
      { referrerPolicy: ['origin', 'unsafe-url'] },
      { referrerPolicy: { policy: ['origin', 'unsafe-url'] } },
    ],
    [
      'COOP',
      { crossOriginOpenerPolicy: 'unsafe-none' },
      { crossOriginOpenerPolicy: { policy: 'unsafe-none' } },
    ],
    [
      'CORP',
      { crossOriginResourcePolicy: 'same-site' },
      { crossOriginResourcePolicy: { policy: 'same-site' } },
    ],
    ['COEP', { crossOriginEmbedderPolicy: 'require-corp' }, { crossOriginEmbedderPolicy: true }],
    ['framing in upper case', { framing: 'SAMEORIGIN' }, { framing: 'sameorigin' }],
    [
      'HSTS as a duration',
      { strictTransportSecurity: { maxAge: '365 days' } },
      { strictTransportSecurity: { maxAge: 31_536_000 } },
    ],
  ];
  it.each(rows)('%s', async (_title, short, long) => {
    const { resolveHeaders } = await import('../../src/headers/headers.options.js');
    expect(resolveHeaders('headers', short)).toEqual(resolveHeaders('headers', long));
  });
});

describe('a list variable takes commas, white space or both', () => {
  const rows: [title: string, variables: Variables, option: string, long: unknown][] = [
    ['CORS_ORIGINS with spaces', { CORS_ORIGINS: ` ${A} ${B} ` }, 'cors', { origins: [A, B] }],
    ['CORS_ORIGINS with commas and spaces', { CORS_ORIGINS: `${A} , ${B}` }, 'cors', { origins: [A, B] }],
    ['CORS_ORIGINS on two lines', { CORS_ORIGINS: `${A}\n${B}` }, 'cors', { origins: [A, B] }],
    ['ALLOWED_HOSTS with spaces', { ALLOWED_HOSTS: 'a.test b.test' }, 'hosts', ['a.test', 'b.test']],
  ];
  it.each(rows)('%s', (_title, variables, key, long) => {
    const read = (input: object, env?: Variables) => {
      const found = resolve(input, env)[key as 'cors'] as object & { patterns?: object };
      return {
        ...found,
        setting: undefined,
        patterns: JSON.stringify([
          ...((found.patterns as never as { exact: Set<string> } | undefined)?.exact ?? []),
        ]),
      };
    };
    expect(read({}, variables)).toEqual(read({ [key]: long }));
  });
  it('TRUST_PROXY with spaces', () => {
    const { trustProxy } = resolve({}, { TRUST_PROXY: 'loopback 10.0.0.0/8' });
    expect([trustProxy!.trusts('10.1.2.3', 0), trustProxy!.trusts('192.0.2.1', 0)]).toEqual([true, false]);
  });
});

type Wrong = [title: string, input: unknown, option: string, remedy: string];

describe('another form stops the start-up and says what to write', () => {
  const rows: Wrong[] = [
    // Durations
    [
      'timeout: a number',
      { timeout: 30 },
      'timeout.handler',
      'received 30. Write "30s" or "30ms", or false for no limit.',
    ],
    ['timeout: a number as text', { timeout: '30' }, 'timeout.handler', 'Write "30s" or "30ms", or false'],
    ['timeout: 0', { timeout: 0 }, 'timeout.handler', 'or false for no limit'],
    ['timeout: true', { timeout: true }, 'timeout', 'must be an object'],
    ['timeout.idle: a number', { timeout: { idle: 5_000 } }, 'timeout.idle', 'Write "5000s" or "5000ms"'],
    [
      'timeout: Node’s name',
      { timeout: { requestTimeout: 5 } },
      'timeout.requestTimeout',
      'Write request: "2min"',
    ],
    [
      'auth.tokens.maxAge: a number',
      { auth: { tokens: { issuer: A, audience: A, algorithms: ['ES256'], jwksUri: A, maxAge: 900 } } },
      'auth.tokens.maxAge',
      'Write "900s" or "900ms".',
    ],
    // hosts
    ['hosts: "*"', { hosts: '*' }, 'hosts[0]', 'hosts: { insecureAnyHost: true }'],
    ['hosts: true', { hosts: true }, 'hosts', 'Write hosts: ["api.example.com"]. For every host'],
    ['hosts: a leading dot', { hosts: '.a.test' }, 'hosts[0]', '["a.test", "*.a.test"]'],
    [
      'hosts.allowedHosts',
      { hosts: { allowedHosts: ['a.test'] } },
      'hosts.allowedHosts',
      'Write allow: ["a.test"].',
    ],
    // cors
    [
      'cors: true',
      { cors: true },
      'cors',
      'Write cors: ["https://app.example.com"]. For pages of every site, without credentials: cors: "*".',
    ],
    ['cors: a function', { cors: () => ({}) }, 'cors', 'Write cors: ["https://app.example.com"]'],
    ['cors.origin: one', { cors: { origin: A } }, 'cors.origin', `Write origins: "${A}".`],
    ['cors.origin: a list', { cors: { origin: [A, B] } }, 'cors.origin', `Write origins: ["${A}", "${B}"].`],
    [
      'cors.origin: "*"',
      { cors: { origin: '*' } },
      'cors.origin',
      'origins: "*", which excludes credentials',
    ],
    [
      'cors.origin: true',
      { cors: { origin: true, credentials: true } },
      'cors.origin',
      'Write origins: ["https://app.example.com"]',
    ],
    ['cors.origin: false', { cors: { origin: false } }, 'cors.origin', 'Leave it out'],
    [
      'cors.origin: a pattern',
      { cors: { origin: /\.example\.com$/ } },
      'cors.origin',
      '"https://*.example.com"',
    ],
    [
      'cors.origin: a list with a pattern',
      { cors: { origin: [A, /b/] } },
      'cors.origin',
      '"https://*.example.com"',
    ],
    ['cors.origin: a function', { cors: { origin: () => true } }, 'cors.origin', 'forRootAsync()'],
    ['cors.origins: a pattern', { cors: { origins: /b/ } }, 'cors.origins', '"https://*.example.com"'],
    ['cors.origins: a slash', { cors: { origins: [`${A}/`] } }, 'cors.origins[0]', `Write "${A}":`],
    ['cors.origins: a path', { cors: { origins: [`${A}/app?x`] } }, 'cors.origins[0]', `Write "${A}":`],
    ['cors.origins: no scheme', { cors: { origins: ['a.example.com'] } }, 'cors.origins[0]', `Write "${A}":`],
    ['cors.preflightContinue', { cors: { preflightContinue: true } }, 'cors.preflightContinue', 'Remove it'],
    [
      'cors.optionsSuccessStatus',
      { cors: { optionsSuccessStatus: 200 } },
      'cors.optionsSuccessStatus',
      'preflights get 204',
    ],
    [
      'cors.exposeHeaders',
      { cors: { exposeHeaders: ['X-A'] } },
      'cors.exposeHeaders',
      'Write exposedHeaders: ["X-A"].',
    ],
    // headers
    [
      'hsts',
      { headers: { hsts: { maxAge: 60, preload: false } } },
      'headers.hsts',
      'Write strictTransportSecurity: { maxAge: 60, preload: false }.',
    ],
    ['hsts: false', { headers: { hsts: false } }, 'headers.hsts', 'Write strictTransportSecurity: false.'],
    ['noSniff', { headers: { noSniff: true } }, 'headers.noSniff', 'Write xContentTypeOptions: true.'],
    [
      'frameguard',
      { headers: { frameguard: { action: 'SAMEORIGIN' } } },
      'headers.frameguard',
      'Write framing: "sameorigin"',
    ],
    ['frameguard: true', { headers: { frameguard: true } }, 'headers.frameguard', 'Write framing: "deny"'],
    ['xFrameOptions', { headers: { xFrameOptions: false } }, 'headers.xFrameOptions', 'Leave it out'],
    [
      'hidePoweredBy',
      { headers: { hidePoweredBy: true } },
      'headers.hidePoweredBy',
      'Write xPoweredBy: true.',
    ],
    [
      'the name of a header',
      { headers: { 'Strict-Transport-Security': true } },
      'headers.Strict-Transport-Security',
      '"strictTransportSecurity"',
    ],
    ['expectCt', { headers: { expectCt: true } }, 'headers.expectCt', 'Remove it'],
    // rateLimit
    [
      'throttler’s ttl and limit',
      { rateLimit: { ttl: 60_000, limit: 10 } },
      'rateLimit.ttl',
      'Write limits: "10/minute".',
    ],
    [
      'limit before ttl',
      { rateLimit: { limit: 10, ttl: 90_000 } },
      'rateLimit.limit',
      'Write limits: "10/90 seconds".',
    ],
    ['ttl in seconds', { rateLimit: { ttl: 60, limit: 10 } }, 'rateLimit.ttl', 'Write limits: "10/minute".'],
    [
      'throttlers',
      {
        rateLimit: {
          throttlers: [
            { ttl: 1_000, limit: 3 },
            { ttl: 60_000, limit: 9 },
          ],
        },
      },
      'rateLimit.throttlers',
      'Write limits: ["3/second", "9/minute"].',
    ],
    [
      'a list of throttlers',
      { rateLimit: [{ ttl: 60_000, limit: 10 }] },
      'rateLimit.limits.ttl',
      'Write "10/minute".',
    ],
    [
      'windowMs and max',
      { rateLimit: { windowMs: 900_000, max: 100 } },
      'rateLimit.windowMs',
      'Write limits: "100/15 minutes".',
    ],
    ['a limit alone', { rateLimit: { limit: '5/minute' } }, 'rateLimit.limit', 'Write limits: "5/minute".'],
    ['a number', { rateLimit: 100 }, 'rateLimit.limits', 'Write for example "100/minute".'],
    [
      'standardHeaders',
      { rateLimit: { standardHeaders: true } },
      'rateLimit.standardHeaders',
      'Write headers: true or false.',
    ],
    ['keyGenerator', { rateLimit: { keyGenerator: () => 'a' } }, 'rateLimit.keyGenerator', 'Write key'],
    // Others
    ['mcp.endpoint', { mcp: { endpoint: '/mcp' } }, 'mcp.endpoint', 'Write path: "/mcp".'],
    [
      'mcp.allowedHosts',
      { mcp: { allowedHosts: ['a.test'] } },
      'mcp.allowedHosts',
      'Write hosts: ["a.test"].',
    ],
    ['body.limit', { body: { limit: '1mb' } }, 'body.limit', 'Write maxBytes: "1mb".'],
    [
      'requestId.headerName',
      { requestId: { headerName: 'X-A' } },
      'requestId.headerName',
      'Write header: "X-A".',
    ],
    ['logging.logLevel', { logging: { logLevel: 'warn' } }, 'logging.logLevel', 'Write level: "warn".'],
    ['methods in lower case', { methods: 'get' }, 'methods[0]', 'Write it in upper case'],
    ['auth.jwksUri', { auth: { jwksUri: A } }, 'auth.jwksUri', 'Write tokens: {'],
    ['auth.tokens.aud', { auth: { tokens: { aud: 'api' } } }, 'auth.tokens.aud', 'Write audience: "api".'],
    // At the top
    ['helmet', { helmet: { xPoweredBy: false } }, 'helmet', 'Write headers: { xPoweredBy: false }.'],
    ['allowedHosts', { allowedHosts: ['a.test'] }, 'allowedHosts', 'Write hosts: ["a.test"].'],
    ['origin', { origin: A }, 'origin', `Write cors: "${A}".`],
    ['throttlers', { throttlers: [] }, 'throttlers', 'Write rateLimit: "100/minute"'],
    ['exemptPaths', { exemptPaths: ['/healthz'] }, 'exemptPaths', 'hosts: { exemptPaths: ["/healthz"] }'],
    ['apiKeys', { apiKeys: { file: 'keys.json' } }, 'apiKeys', 'Write auth: { apiKeys: {'],
  ];
  it.each(rows)('%s', (_title, input, option, remedy) => {
    const error = rejection(input);
    expect(error.option).toBe(option);
    expect(error.message).toContain(remedy);
  });

  it('a tool’s limit of a throttler', () => {
    const policies = { send_mail: { limit: { ttl: 60_000, limit: 5 } } };
    expect(rejection({ tools: { policies } }).message).toContain('Write "5/minute".');
  });

  it('forRootAsync() of a function', () => {
    const error = errorOf(() => AgentSecurityModule.forRootAsync((() => ({})) as never));
    expect(error?.message).toContain('Write forRootAsync({ useFactory: () => options }).');
  });

  it('shows no secret', () => {
    const secret = 'Ab1'.repeat(20);
    const inputs = [
      { apiKeys: { secret: 'short' } },
      { origin: secret },
      { auth: { tokens: { publicKey: 'short' } } },
    ];
    for (const input of inputs) expect(rejection(input).message).not.toMatch(/short|Ab1/);
    expect(rejection({ helmet: { token: 'short', apiKeys: ['short'] } }).message).toContain(
      '{ token: …, apiKeys: … }',
    );
  });

  const limits: [title: string, input: object, remedy: string][] = [
    ['ttl and limit', { ttl: 60_000, limit: 10 }, 'Write "10/minute".'],
    ['the set of @Throttle()', { default: { ttl: 3_600_000, limit: 5 } }, 'Write "5/hour".'],
    ['a named set', { short: { ttl: 1_000, limit: 3 } }, 'Write { limit: "3/second", name: "short" }.'],
    ['points and duration', { points: 6, duration: 1 }, 'Write "6/second".'],
    ['a window of words', { max: 5, timeWindow: '1 minute' }, 'Write for example "10/minute".'],
  ];
  it.each(limits)('@RateLimit(): %s', (_title, input, remedy) => {
    expect(errorOf(() => RateLimit(input as RateLimitInput))?.message).toContain(remedy);
  });
});
