import {
  readHeadersInput,
  resolveHeaders,
  type SecurityHeadersOptions,
} from '../../src/headers/headers.options.js';
import { type RouteCaching, templateParts } from '../../src/headers/header-settings.js';
import { loadCases } from '../fixtures/load-cases.js';

const resolve = (options: SecurityHeadersOptions = {}) => resolveHeaders('headers', options);
const named = (
  options?: SecurityHeadersOptions,
  kind: 'page' | 'data' | 'untyped' | 'notModified' = 'data',
): Record<string, string | undefined> => Object.fromEntries(resolve(options).kinds[kind]);
const CSP = 'Content-Security-Policy';

describe('the defaults', () => {
  it('are the strict API set', () => {
    const { strictTransportSecurity, removePoweredBy } = resolve();
    expect(named()).toEqual({
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'no-referrer',
      'Permissions-Policy': expect.stringContaining('camera=(), '),
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'X-DNS-Prefetch-Control': 'off',
      'Content-Security-Policy':
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    });
    expect(strictTransportSecurity).toBe('max-age=31536000; includeSubDomains');
    expect(removePoweredBy).toBe(true);
    expect(named({}, 'page')).toEqual({ ...named(), 'Referrer-Policy': 'same-origin' });
  });

  it('allow pages their own files with htmlContentSecurityPolicy', () => {
    const page = (options: SecurityHeadersOptions) => named(options, 'page')[CSP];
    expect(page({ htmlContentSecurityPolicy: true })).toBe(
      "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    );
    expect(page({ contentSecurityPolicy: { scriptSrc: "'self'" } })).toMatch(/script-src 'self'$/);
    expect(page({ htmlContentSecurityPolicy: false })).toBeUndefined();
  });

  it('send no policy that depends on a Content-Type without one, and none at all with a 304', () => {
    expect(named({}, 'untyped')).toEqual(named());
    const pages = { htmlContentSecurityPolicy: true };
    expect(named(pages, 'untyped')).toEqual({ ...named(), [CSP]: undefined });
    for (const options of [{}, pages]) {
      const { [CSP]: _policy, 'X-Frame-Options': _framing, 'Referrer-Policy': _referrer, ...rest } = named();
      expect(named(options, 'notModified')).toEqual(rest);
    }
  });

  it('name each header once', () => {
    const names = resolve({
      crossOriginEmbedderPolicy: true,
      originAgentCluster: true,
      xXssProtection: true,
    }).kinds.page.map(([name]) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });

  it('have the value that scanners want of each header that is sent', () => {
    const sent = new Map(Object.entries(named()).map(([name, value]) => [name.toLowerCase(), value]));
    const exact = loadCases('headers').headers.filter(
      ({ header, want }) => sent.has(header.toLowerCase()) && !/\s/.test(want),
    );
    expect(exact.length).toBeGreaterThanOrEqual(6);
    for (const { header, want } of exact)
      expect([header, sent.get(header.toLowerCase())]).toEqual([header, want]);
  });
});

describe('resolveHeaders', () => {
  type Row = [title: string, options: SecurityHeadersOptions, header: string, value: string | undefined];
  const rows: Row[] = [
    [
      'an embedder policy',
      { crossOriginEmbedderPolicy: true },
      'Cross-Origin-Embedder-Policy',
      'require-corp',
    ],
    [
      'another resource policy',
      { crossOriginResourcePolicy: { policy: 'same-site' } },
      'Cross-Origin-Resource-Policy',
      'same-site',
    ],
    [
      'several referrer policies',
      { referrerPolicy: { policy: ['no-referrer', 'same-origin'] } },
      'Referrer-Policy',
      'no-referrer, same-origin',
    ],
    ['prefetching', { xDnsPrefetchControl: { allow: true } }, 'X-DNS-Prefetch-Control', 'on'],
    ['an agent cluster', { originAgentCluster: true }, 'Origin-Agent-Cluster', '?1'],
    ['downloads', { xDownloadOptions: true }, 'X-Download-Options', 'noopen'],
    [
      'cross-domain policies',
      { xPermittedCrossDomainPolicies: true },
      'X-Permitted-Cross-Domain-Policies',
      'none',
    ],
    ['the XSS filter', { xXssProtection: true }, 'X-XSS-Protection', '0'],
    [
      'endpoints',
      { reportingEndpoints: { csp: 'https://r.test/csp', own: '/reports' } },
      'Reporting-Endpoints',
      'csp="https://r.test/csp", own="/reports"',
    ],
    [
      'a policy that only reports',
      { contentSecurityPolicy: { reportOnly: true } },
      'Content-Security-Policy',
      undefined,
    ],
  ];
  it.each(rows)('%s', (_title, options, header, value) => expect(named(options)[header]).toBe(value));

  it('rejects undefined, which would erase a default', () =>
    expect(() => named({ xContentTypeOptions: undefined } as never)).toThrow('ASEC_OPTIONS_MISSING'));

  it('writes features as structured fields, over the powerful ones that stay off', () => {
    const value = named({
      permissionsPolicy: {
        camera: 'self',
        geolocation: ['self', 'https://maps.test'],
        fullscreen: '*',
        usb: [],
      },
    })['Permissions-Policy']!;
    expect(value.split(', ')).toEqual(
      expect.arrayContaining([
        'camera=(self)',
        'geolocation=(self "https://maps.test")',
        'fullscreen=*',
        'usb=()',
        'microphone=()',
      ]),
    );
  });

  const ANCESTORS = /frame-ancestors ([^;]+)/;
  type Framed = [
    title: string,
    SecurityHeadersOptions,
    frameOptions: string | undefined,
    ancestors: string | undefined,
  ];
  const framed: Framed[] = [
    ['none by default', {}, 'DENY', "'none'"],
    ['true', { framing: true }, 'DENY', "'none'"],
    ['deny', { framing: 'deny' }, 'DENY', "'none'"],
    ['sameorigin', { framing: 'sameorigin' }, 'SAMEORIGIN', "'self'"],
    ['false', { framing: false }, undefined, undefined],
    ['origins', { framing: ['self', 'https://a.test'] }, undefined, "'self' https://a.test"],
    ['a wildcard', { framing: ['https://*.a.test'] }, undefined, 'https://*.a.test'],
    ['the app alone', { framing: ['self'] }, 'SAMEORIGIN', "'self'"],
    ['without a policy', { framing: 'sameorigin', contentSecurityPolicy: false }, 'SAMEORIGIN', "'self'"],
    [
      'beside a policy that only reports',
      { framing: ['https://a.test'], contentSecurityPolicy: { reportOnly: true } },
      undefined,
      'https://a.test',
    ],
    [
      'on an empty policy',
      { framing: 'sameorigin', contentSecurityPolicy: { useDefaults: false, directives: { imgSrc: '*' } } },
      'SAMEORIGIN',
      "'self'",
    ],
    ['a directive', { contentSecurityPolicy: { frameAncestors: "'self'" } }, 'SAMEORIGIN', "'self'"],
    ['a directive of origins', { contentSecurityPolicy: { frameAncestors: 'https:' } }, undefined, 'https:'],
  ];
  it.each(framed)('frames by %s alike in both headers', (_title, options, frameOptions, ancestors) => {
    for (const kind of ['data', 'page'] as const) {
      const headers = named(options, kind);
      const found = ANCESTORS.exec(headers[CSP] ?? '')?.[1];
      expect([headers['X-Frame-Options'], found]).toEqual([frameOptions, ancestors]);
    }
  });

  it('frames pages and data differently where their policies do', () => {
    const options: SecurityHeadersOptions = { htmlContentSecurityPolicy: { frameAncestors: "'self'" } };
    const sent = (['page', 'data', 'untyped'] as const).map(kind => named(options, kind)['X-Frame-Options']);
    expect(sent).toEqual(['SAMEORIGIN', 'DENY', undefined]);
  });

  it('enforces one policy and reports another, for data and for HTML', () => {
    const { data, page } = resolve({
      contentSecurityPolicyReportOnly: { defaultSrc: "'self'", reportTo: 'csp' },
    }).kinds;
    for (const all of [data, page]) {
      const pairs = all.filter(([name]) => name.startsWith(CSP));
      expect(pairs.map(([name]) => name)).toEqual([
        'Content-Security-Policy',
        'Content-Security-Policy-Report-Only',
      ]);
      expect(pairs[1]![1]).toBe("default-src 'self'; report-to csp");
    }
  });

  it.each([
    [{ maxAge: 60 }, 'max-age=60; includeSubDomains'],
    [{ includeSubDomains: false }, 'max-age=31536000'],
    [{ preload: true }, 'max-age=31536000; includeSubDomains; preload'],
    [{ maxAge: 0 }, 'max-age=0; includeSubDomains'],
  ])('writes HSTS of %p', (strictTransportSecurity, expected) =>
    expect(resolve({ strictTransportSecurity }).strictTransportSecurity).toBe(expected),
  );
});

describe('templateParts', () => {
  const settings = { input: {}, noStore: true, requestIdHeader: 'X-Request-ID', varyByOrigin: true };

  it("takes the route's own choice of no-store before the module's", () => {
    const caching = (module: boolean, route?: RouteCaching): unknown[] => {
      const { noStore, noStoreOnErrors } = templateParts({ ...settings, noStore: module }, route);
      return [noStore, noStoreOnErrors];
    };
    expect([
      [caching(true), caching(true, 'own'), caching(true, 'own-on-errors'), caching(true, 'no-store')],
      [caching(false), caching(false, 'own'), caching(false, 'own-on-errors'), caching(false, 'no-store')],
    ]).toEqual([
      [
        [true, true],
        [false, true],
        [false, false],
        ['force', true],
      ],
      [
        [false, false],
        [false, false],
        [false, false],
        ['force', true],
      ],
    ]);
  });

  it('keeps no-store, Vary and the ID where the headers are off', () => {
    expect(templateParts({ ...settings, input: readHeadersInput('headers', false) })).toEqual({
      kinds: { page: [], data: [], untyped: [], notModified: [] },
      strictTransportSecurity: undefined,
      removePoweredBy: false,
      noStoreOnErrors: true,
      requestIdHeader: 'X-Request-ID',
      noStore: true,
      varyByOrigin: true,
    });
  });
});
