import {
  readHeadersInput,
  resolveHeaders,
  type SecurityHeadersOptions,
} from '../../src/headers/headers.options.js';
import { type RouteCaching, templateParts } from '../../src/headers/header-settings.js';
import { loadCases } from '../fixtures/load-cases.js';

const resolve = (options: SecurityHeadersOptions = {}) => resolveHeaders('headers', options);
const named = (options?: SecurityHeadersOptions): Record<string, string> => {
  const { common, policies } = resolve(options);
  return Object.fromEntries([...common, ...policies]);
};

describe('the defaults', () => {
  it('are the strict API set', () => {
    const { strictTransportSecurity, htmlPolicies, removePoweredBy } = resolve();
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
    expect(htmlPolicies).toEqual(resolve().policies);
  });

  it('allow pages their own files with htmlContentSecurityPolicy', () => {
    expect(resolve({ htmlContentSecurityPolicy: true }).htmlPolicies).toEqual([
      [
        'Content-Security-Policy',
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
      ],
    ]);
    expect(resolve({ contentSecurityPolicy: { scriptSrc: "'self'" } }).htmlPolicies[0]![1]).toMatch(
      /script-src 'self'$/,
    );
    expect(resolve({ htmlContentSecurityPolicy: false }).htmlPolicies).toEqual([]);
  });

  it('name each header once', () => {
    const names = resolve({
      crossOriginEmbedderPolicy: true,
      originAgentCluster: true,
      xXssProtection: true,
    }).common.map(([name]) => name.toLowerCase());
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
      'framing by the same origin',
      { xFrameOptions: { action: 'sameorigin' } },
      'X-Frame-Options',
      'SAMEORIGIN',
    ],
    ['no framing header', { xFrameOptions: false }, 'X-Frame-Options', undefined],
    ['the default by true', { xFrameOptions: true }, 'X-Frame-Options', 'DENY'],
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

  it('enforces one policy and reports another, for data and for HTML', () => {
    const { policies, htmlPolicies } = resolve({
      contentSecurityPolicyReportOnly: { defaultSrc: "'self'", reportTo: 'csp' },
    });
    for (const pairs of [policies, htmlPolicies]) {
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
      common: [],
      policies: [],
      htmlPolicies: [],
      strictTransportSecurity: undefined,
      removePoweredBy: false,
      noStoreOnErrors: true,
      requestIdHeader: 'X-Request-ID',
      noStore: true,
      varyByOrigin: true,
    });
  });
});
