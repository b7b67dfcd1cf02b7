import { API_DIRECTIVES, HTML_DIRECTIVES, resolvePolicy } from '../../src/headers/content-security-policy.js';

const API = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const text = (input: unknown): string | undefined => resolvePolicy('csp', input, API_DIRECTIVES)?.text;

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
    expect(resolvePolicy('csp', { reportOnly: true }, API_DIRECTIVES)).toEqual({
      text: API,
      reportOnly: true,
    });
    expect(resolvePolicy('csp', {}, API_DIRECTIVES)).toEqual({ text: API, reportOnly: false });
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
    ['both spellings', { scriptSrc: "'self'", 'script-src': "'self'" }],
    ['directives that are no object', { directives: "default-src 'none'" }],
    ['no directive at all', { directives: {}, useDefaults: false }],
  ];
  it.each(rejected)('rejects %s', (_title, input) => {
    expect(() => text(input)).toThrow(expect.objectContaining({ code: 'ASEC_CSP_DIRECTIVE' }));
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
