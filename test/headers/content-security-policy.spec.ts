import {
  API_DIRECTIVES,
  HTML_DIRECTIVES,
  resolvePolicy,
  serializePolicy,
} from '../../src/headers/content-security-policy.js';

const API = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const BASE = { directives: API_DIRECTIVES, reportOnly: false };
const text = (input: unknown): string | undefined => {
  const policy = resolvePolicy('csp', input, BASE);
  return policy && serializePolicy(policy.directives);
};

describe('resolvePolicy', () => {
  const rows: [title: string, input: unknown, expected: string | undefined][] = [
    ['the defaults', undefined, API],
    ['true', true, API],
    ['false', false, undefined],
    ['a directive in camelCase', { scriptSrc: "'self'" }, `${API}; script-src 'self'`],
    ['a directive as it is sent', { 'script-src': "'self'" }, `${API}; script-src 'self'`],
    [
      'several sources',
      { connectSrc: ["'self'", 'https://api.test', 'wss:'] },
      `${API}; connect-src 'self' https://api.test wss:`,
    ],
    [
      'a directive that replaces a default',
      { frameAncestors: "'self'" },
      API.replace("frame-ancestors 'none'", "frame-ancestors 'self'"),
    ],
    [
      'a default left out',
      { formAction: false, baseUri: false },
      "default-src 'none'; frame-ancestors 'none'",
    ],
    [
      'a directive without a value',
      { upgradeInsecureRequests: true, sandbox: [] },
      `${API}; upgrade-insecure-requests; sandbox`,
    ],
    ['options', { directives: { scriptSrc: "'self'" }, useDefaults: false }, "script-src 'self'"],
    ['a nonce', { scriptSrc: "'nonce-abc='" }, `${API}; script-src 'nonce-abc='`],
  ];
  it.each(rows)('%s', (_title, input, expected) => expect(text(input)).toBe(expected));

  it('knows which policy only reports', () => {
    const reportOnly = (input: object, base: boolean) =>
      resolvePolicy('csp', input, { ...BASE, reportOnly: base })?.reportOnly;
    expect([
      reportOnly({}, false),
      reportOnly({}, true),
      reportOnly({ reportOnly: true }, false),
      reportOnly({ reportOnly: false }, true),
    ]).toEqual([false, true, true, false]);
  });

  const rejected: [title: string, input: unknown][] = [
    ['a semicolon', { scriptSrc: "'self'; script-src-elem *" }],
    ['a comma, which would begin a second policy', { scriptSrc: "'self', script-src *" }],
    ['a line break', { scriptSrc: "'self'\r\nX-Evil: 1" }],
    ['an empty source', { scriptSrc: '' }],
    ['an empty source in a list', { scriptSrc: ["'self'", ' '] }],
    ['a number', { scriptSrc: 5 }],
    ['an object', { scriptSrc: {} }],
    ['a keyword without quotes', { scriptSrc: 'unsafe-inline' }],
    ['a keyword without quotes among others', { scriptSrc: "'self' strict-dynamic" }],
    ['a hash without quotes', { scriptSrc: 'sha256-abc=' }],
    ['a name with a space', { 'script src': "'self'" }],
    ['a name with a semicolon', { 'script-src;': "'self'" }],
    ['a misspelt name', { scriptSource: "'self'" }],
    ['a name of no directive', { 'img-source': "'self'" }],
    ['both spellings', { scriptSrc: "'self'", 'script-src': "'self'" }],
    ['directives that are no object', { directives: "default-src 'none'" }],
    ['no directive at all', { directives: {}, useDefaults: false }],
  ];
  it.each(rejected)('rejects %s', (_title, input) => {
    expect(() => text(input)).toThrow(expect.objectContaining({ code: 'ASEC_CSP_DIRECTIVE' }));
  });

  it.each([
    ['scriptSource', 'script-src'],
    ['frameAncestor', 'frame-ancestors'],
    ['defaultSource', 'default-src'],
    ['imgsrc', 'img-src'],
  ])('says what %s may have meant', (name, meant) => {
    expect(() => text({ [name]: "'self'" })).toThrow(`Did you mean "${meant}"?`);
  });

  it('closes, in both defaults, what does not inherit from default-src', () => {
    for (const defaults of [API_DIRECTIVES, HTML_DIRECTIVES]) {
      expect(Object.keys(defaults)).toEqual(
        expect.arrayContaining(['base-uri', 'form-action', 'frame-ancestors']),
      );
    }
    expect(JSON.stringify(HTML_DIRECTIVES)).not.toContain('unsafe');
  });
});
