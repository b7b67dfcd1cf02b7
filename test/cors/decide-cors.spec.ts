import { readAuthority } from '../../src/common/authority.js';
import { type ResolvedCors, resolveCors } from '../../src/cors/cors.options.js';
import {
  type CorsDecision,
  type CorsRequest,
  decideCors,
  isAllowedOrigin,
} from '../../src/cors/decide-cors.js';
import { type CorsCase, loadCases } from '../fixtures/load-cases.js';

const noVariables = (): undefined => undefined;
const cors = (options: object): ResolvedCors =>
  resolveCors(options, noVariables, 'X-Request-ID') as ResolvedCors;

describe('the table of origins', () => {
  const choices: Readonly<Record<string, readonly [expected: 200 | 403, reason: string]>> = {
    X026: [403, 'an origin is compared as browsers send it: in lower case'],
    X030: [403, 'Origin: null is rejected unless it is listed, unless Sec-Fetch-Site says same-origin'],
  };
  // The rows about loopback origins of an MCP server are a matter of its own configuration, and are tested with it.
  const rows = loadCases('origins').cases.filter(({ mcp }) => mcp !== true);

  it.each(rows.map(row => [`${row.id} ${row.method} ${row.secFetchSite} ${row.origin}`, row] as const))(
    '%s',
    (_title, { id, host, scheme, trusted, method, secFetchSite, origin, expect: expected, strength }) => {
      const decision = decideCors(
        {
          method,
          origin: origin ?? undefined,
          secFetchSite: secFetchSite ?? undefined,
          requestedMethod: undefined,
          host: readAuthority(host),
          secure: scheme === 'https',
        },
        cors({ origins: trusted }),
      );
      const status = decision.kind === 'rejected' ? 403 : 200;
      expect(status).toBe(strength === 'either' ? choices[id]?.[0] : expected);
    },
  );

  it('has no choice that the table does not need', () => {
    const either = rows.filter(({ strength }) => strength === 'either').map(({ id }) => id);
    expect(Object.keys(choices).toSorted()).toEqual(either.toSorted());
  });
});

describe('the table of CORS, as far as it is a decision', () => {
  const configured = {
    L: cors({
      origins: ['https://app.example.com', 'http://localhost:9090'],
      credentials: true,
      exposedHeaders: ['X-Custom-Exposed'],
      maxAge: 600,
    }),
    A: cors({ origins: '*' }),
    W: cors({ origins: ['https://*.example.com'], credentials: true }),
  };
  const decide = ({ cfg, method, headers }: CorsCase): CorsDecision =>
    decideCors(
      {
        method,
        origin: headers['Origin'] as string | undefined,
        secFetchSite: undefined,
        requestedMethod: headers['Access-Control-Request-Method'] as string | undefined,
        host: { name: 'api.test', port: undefined },
        secure: false,
      },
      configured[cfg as 'L'],
    );
  const { cases } = loadCases('cors');
  // C035 sends two Origin lines, and node:http decides what becomes of them; C074 has no Origin, and its header comes
  // from the hook. Both are requests to be seen over a socket.
  const rows = cases.filter(
    ({ id, cfg, exp }) => cfg !== 'N' && 'acao' in exp && !['C035', 'C074'].includes(id),
  );

  it.each(rows.map(row => [`${row.id} ${row.cfg} ${row.note ?? row.headers['Origin']}`, row] as const))(
    '%s',
    (_title, row) => {
      const decision = decide(row);
      const acao = decision.kind === 'granted' || decision.kind === 'preflight' ? decision.origin : null;
      expect(acao).toBe(row.exp.acao);
    },
  );

  it('grants what the table reads from a preflight', () => {
    const { allowMethods, allowHeaders, exposeHeaders, maxAge } = configured.L;
    const lower = allowHeaders.toLowerCase().split(', ');
    for (const { exp } of cases.filter(({ cfg, method }) => cfg === 'L' && method === 'OPTIONS')) {
      expect(allowMethods.split(', ')).toEqual(expect.arrayContaining([...(exp.acam ?? [])]));
      expect(lower).toEqual(expect.arrayContaining([...(exp.acah ?? [])]));
    }
    expect([exposeHeaders, maxAge]).toEqual(['X-Custom-Exposed', '600']);
  });
});

describe('decideCors', () => {
  const listed = cors({ origins: ['https://app.example.com', 'https://*.apps.test:8443'] });
  const none = cors({});
  const any = cors({ origins: ['*'] });
  const withNull = cors({ origins: ['null'] });
  const request: CorsRequest = {
    method: 'POST',
    origin: 'https://app.example.com',
    secFetchSite: undefined,
    requestedMethod: undefined,
    host: { name: 'api.test', port: undefined },
    secure: true,
  };
  const granted = (origin: string): CorsDecision => ({ kind: 'granted', origin });

  type Row = [title: string, changed: Partial<CorsRequest>, options: ResolvedCors, expected: CorsDecision];
  const rows: Row[] = [
    ['an allowed origin', {}, listed, granted('https://app.example.com')],
    [
      'a preflight of an allowed origin',
      { method: 'OPTIONS', requestedMethod: 'POST' },
      listed,
      { kind: 'preflight', origin: 'https://app.example.com' },
    ],
    [
      'a plain OPTIONS of an allowed origin',
      { method: 'OPTIONS' },
      listed,
      granted('https://app.example.com'),
    ],
    [
      'a preflight of a rejected origin',
      { method: 'OPTIONS', requestedMethod: 'GET', origin: 'https://evil.test' },
      listed,
      { kind: 'rejected' },
    ],
    [
      'a plain OPTIONS of a rejected origin',
      { method: 'OPTIONS', origin: 'https://evil.test' },
      listed,
      { kind: 'unreadable' },
    ],
    [
      'a read of a rejected origin',
      { method: 'GET', origin: 'https://evil.test' },
      listed,
      { kind: 'unreadable' },
    ],
    [
      'a HEAD of a rejected origin',
      { method: 'HEAD', origin: 'https://evil.test' },
      listed,
      { kind: 'unreadable' },
    ],
    ['a write of a rejected origin', { origin: 'https://evil.test' }, listed, { kind: 'rejected' }],
    [
      'an unknown method of a rejected origin',
      { method: 'QUERY', origin: 'https://evil.test' },
      listed,
      { kind: 'rejected' },
    ],
    [
      'a lower-case get is no GET',
      { method: 'get', origin: 'https://evil.test' },
      listed,
      { kind: 'rejected' },
    ],
    [
      'a subdomain under a wildcard with a port',
      { origin: 'https://x.y.apps.test:8443' },
      listed,
      granted('https://x.y.apps.test:8443'),
    ],
    [
      'a subdomain under a wildcard without its port',
      { origin: 'https://x.apps.test' },
      listed,
      { kind: 'rejected' },
    ],
    ['the apex of a wildcard', { origin: 'https://apps.test:8443' }, listed, { kind: 'rejected' }],
    [
      'a name that ends like a wildcard',
      { origin: 'https://evilapps.test:8443' },
      listed,
      { kind: 'rejected' },
    ],
    ['null', { origin: 'null' }, listed, { kind: 'rejected' }],
    ['null where it is listed', { origin: 'null' }, withNull, granted('null')],
    ['an empty origin', { origin: '' }, listed, { kind: 'rejected' }],
    ["the request's own host", { origin: 'https://api.test' }, none, { kind: 'none' }],
    [
      "the request's own host on another port",
      { origin: 'https://api.test:8443' },
      none,
      { kind: 'rejected' },
    ],
    [
      "the request's own host where no host was checked",
      { origin: 'https://api.test', host: undefined },
      none,
      { kind: 'rejected' },
    ],
    ['any origin', { origin: 'https://evil.test' }, any, granted('*')],
    ['any origin, even null', { origin: 'null' }, any, granted('*')],
    ['no browser', { origin: undefined }, none, { kind: 'none' }],
    [
      'a cross-site write without an Origin',
      { origin: undefined, secFetchSite: 'cross-site' },
      none,
      { kind: 'rejected' },
    ],
    [
      'a same-site write without an Origin',
      { origin: undefined, secFetchSite: 'same-site' },
      none,
      { kind: 'rejected' },
    ],
    [
      'a cross-site read without an Origin',
      { method: 'GET', origin: undefined, secFetchSite: 'cross-site' },
      none,
      { kind: 'unreadable' },
    ],
    [
      'a same-origin write without an Origin',
      { origin: undefined, secFetchSite: 'same-origin' },
      none,
      { kind: 'none' },
    ],
    ...['null', 'http://localhost:5173', 'https://evil.test'].map((origin): Row => [
      `a same-origin write with Origin: ${origin}`,
      { origin, secFetchSite: 'same-origin' },
      none,
      { kind: 'none' },
    ]),
    ...['same-site', 'cross-site', 'none', 'same-origin, same-origin'].map((secFetchSite): Row => [
      `a write with Origin: null and Sec-Fetch-Site: ${secFetchSite}`,
      { origin: 'null', secFetchSite },
      none,
      { kind: 'rejected' },
    ]),
    ['a write that the user started', { origin: undefined, secFetchSite: 'none' }, none, { kind: 'none' }],
    ['an empty Sec-Fetch-Site', { origin: undefined, secFetchSite: '' }, none, { kind: 'rejected' }],
  ];
  it.each(rows)('%s', (_title, changed, options, expected) =>
    expect(decideCors({ ...request, ...changed }, options)).toEqual(expected),
  );

  const UUID = 'E1F2A3B4-0000-4000-8000-00000000C0DE';
  const apps = ['app://.', 'app://-', 'tauri://localhost', `safari-web-extension://${UUID}`];
  it.each(apps)('%s is allowed where it is listed', origin => {
    expect(isAllowedOrigin(origin, cors({ origins: apps }))).toBe(true);
    expect(isAllowedOrigin(origin, cors({ origins: ['app://other'] }))).toBe(false);
  });

  it('compares opaque hosts without their case, and names with it', () => {
    const lower = cors({
      origins: [`safari-web-extension://${UUID.toLowerCase()}`, 'https://app.example.com'],
    });
    const upper = cors({ origins: [`safari-web-extension://${UUID}`] });
    for (const origin of [`safari-web-extension://${UUID}`, `safari-web-extension://${UUID.toLowerCase()}`])
      expect([isAllowedOrigin(origin, lower), isAllowedOrigin(origin, upper)]).toEqual([true, true]);
    expect(isAllowedOrigin('https://APP.example.com', lower)).toBe(false);
    expect(isAllowedOrigin('HTTPS://app.example.com', lower)).toBe(false);
    expect(isAllowedOrigin('NULL', withNull)).toBe(false);
  });

  it('allows file:// by its own option alone', () => {
    expect(isAllowedOrigin('file://', cors({ insecureFileOrigin: true }))).toBe(true);
    expect(isAllowedOrigin('file://', cors({ origins: ['app://-'] }))).toBe(false);
    expect(isAllowedOrigin('null', cors({ insecureFileOrigin: true }))).toBe(false);
  });

  it('does not depend on how many origins are listed', () => {
    const many = cors({ origins: Array.from({ length: 5_000 }, (_, index) => `https://a${index}.test`) });
    expect(isAllowedOrigin('https://a4999.test', many)).toBe(true);
    expect(isAllowedOrigin('https://a5000.test', many)).toBe(false);
  });
});
