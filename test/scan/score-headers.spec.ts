/* The score of headers against the published description of the HTTP Observatory. Nothing here is computed by src: each row names the
 * results that the description has for its headers, and the table of the description has their modifiers and grades. */
import { scoreHeaders } from '../../src/scan/headers/score-headers.js';

/** https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring */
const MODIFIERS = {
  'csp-implemented-with-no-unsafe-default-src-none': 10,
  'csp-implemented-with-no-unsafe': 5,
  'csp-implemented-with-unsafe-inline-in-style-src-only': 0,
  'csp-implemented-with-insecure-scheme-in-passive-content-only': -10,
  'csp-implemented-with-unsafe-eval': -10,
  'csp-implemented-with-unsafe-inline': -20,
  'csp-implemented-with-insecure-scheme': -20,
  'csp-header-invalid': -25,
  'csp-not-implemented': -25,
  'cookies-secure-with-httponly-sessions-and-samesite': 5,
  'cookies-secure-with-httponly-sessions': 0,
  'cookies-without-secure-flag-but-protected-by-hsts': -5,
  'cookies-session-without-secure-flag-but-protected-by-hsts': -10,
  'cookies-without-secure-flag': -20,
  'cookies-samesite-flag-invalid': -20,
  'cookies-anticsrf-without-samesite-flag': -20,
  'cookies-session-without-httponly-flag': -30,
  'cookies-session-without-secure-flag': -40,
  'cross-origin-resource-sharing-implemented-with-public-access': 0,
  'cross-origin-resource-sharing-implemented-with-restricted-access': 0,
  'cross-origin-resource-sharing-implemented-with-universal-access': -50,
  'redirection-to-https': 0,
  'redirection-off-host-from-http': -5,
  'redirection-not-to-https': -20,
  'redirection-missing': -20,
  'referrer-policy-private': 5,
  'referrer-policy-unsafe': -5,
  'referrer-policy-header-invalid': -5,
  'hsts-implemented-max-age-at-least-six-months': 0,
  'hsts-implemented-max-age-less-than-six-months': -10,
  'hsts-not-implemented': -20,
  'hsts-not-implemented-no-https': -20,
  'hsts-invalid-cert': -20,
  'hsts-header-invalid': -20,
  'sri-implemented-and-all-scripts-loaded-securely': 5,
  'sri-not-implemented-but-all-scripts-loaded-from-secure-origin': 0,
  'sri-not-implemented-but-external-scripts-loaded-securely': -5,
  'sri-implemented-but-external-scripts-not-loaded-securely': -20,
  'sri-not-implemented-and-external-scripts-not-loaded-securely': -50,
  'x-content-type-options-nosniff': 0,
  'x-content-type-options-not-implemented': -5,
  'x-content-type-options-header-invalid': -5,
  'x-frame-options-implemented-via-csp': 5,
  'x-frame-options-sameorigin-or-deny': 0,
  'x-frame-options-allow-from-origin': 0,
  'x-frame-options-not-implemented': -20,
  'x-frame-options-header-invalid': -20,
  'cross-origin-resource-policy-implemented-with-same-origin': 10,
  'cross-origin-resource-policy-implemented-with-same-site': 10,
  'cross-origin-resource-policy-implemented-with-cross-origin': 0,
  'cross-origin-resource-policy-header-invalid': -5,
} as const;
type Result = keyof typeof MODIFIERS;

const GRADES: readonly (readonly [from: number, to: number, grade: string])[] = [
  [100, Infinity, 'A+'],
  [90, 99, 'A'],
  [85, 89, 'A-'],
  [80, 84, 'B+'],
  [70, 79, 'B'],
  [65, 69, 'B-'],
  [60, 64, 'C+'],
  [50, 59, 'C'],
  [45, 49, 'C-'],
  [40, 44, 'D+'],
  [30, 39, 'D'],
  [25, 29, 'D-'],
  [0, 24, 'F'],
];

/** Two rounds: the penalties, and from 90 on the bonuses. */
function published(results: readonly Result[]): { score: number; grade: string } {
  const modifiers = results.map(result => MODIFIERS[result]);
  let score = 100;
  for (const modifier of modifiers) if (modifier < 0) score += modifier;
  if (score >= 90) for (const modifier of modifiers) if (modifier > 0) score += modifier;
  if (score < 0) score = 0;
  return { score, grade: GRADES.find(([from, to]) => score >= from && score <= to)![2] };
}

interface Site {
  /** Of the page; a list comes on several lines. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly html?: string;
  readonly tls?: 'valid' | 'invalid' | 'none';
  readonly plain?: string;
  readonly preflight?: Readonly<Record<string, string>>;
}

const linesOf = (headers: Site['headers'] = {}): [string, string][] =>
  Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, one as string]),
  );

function score({ headers, html, tls = 'valid', plain, preflight }: Site): { score: number; grade: string } {
  const type = { 'content-type': html === undefined ? 'application/json' : 'text/html; charset=utf-8' };
  const { score: found, grade } = scoreHeaders({
    isTls: tls !== 'none',
    isVerified: tls === 'valid',
    hostname: 'api.example.com',
    page: { status: 200, headers: linesOf({ ...type, ...headers }), body: html ?? '{}' },
    others: [],
    preflight: { status: 204, headers: linesOf(preflight), body: '' },
    origin: 'https://attacker.example',
    plain,
  });
  return { score: found, grade };
}

/** A site without a fault and without a bonus, and what the description says of it. */
const PLAIN = {
  'content-security-policy': "default-src 'self'; style-src 'self' 'unsafe-inline'",
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
const HSTS = { 'strict-transport-security': 'max-age=31536000' };
const csp = (policy: string | readonly string[], ...more: Result[]): [Site, Result[]] => [
  { headers: { ...PLAIN, 'content-security-policy': policy } },
  more,
];
const cookie = (
  cookies: string | readonly string[],
  result: Result,
  headers: object = {},
): [Site, Result[]] => [{ headers: { ...PLAIN, 'set-cookie': cookies, ...headers } }, [result]];
const script = (html: string, ...more: Result[]): [Site, Result[]] => [{ headers: PLAIN, html }, more];

const ROWS: readonly (readonly [title: string, site: Site, results: readonly Result[]])[] = [
  ['a site without a fault', { headers: PLAIN }, []],
  [
    'nothing over plain HTTP',
    { tls: 'none', plain: 'none' },
    [
      'csp-not-implemented',
      'redirection-missing',
      'hsts-not-implemented-no-https',
      'x-content-type-options-not-implemented',
      'x-frame-options-not-implemented',
    ],
  ],
  [
    'nothing over TLS',
    {},
    [
      'csp-not-implemented',
      'hsts-not-implemented',
      'x-content-type-options-not-implemented',
      'x-frame-options-not-implemented',
    ],
  ],
  [
    'the strictest API',
    {
      headers: {
        ...HSTS,
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      },
    },
    [
      'csp-implemented-with-no-unsafe-default-src-none',
      'referrer-policy-private',
      'x-frame-options-implemented-via-csp',
      'cross-origin-resource-policy-implemented-with-same-origin',
    ],
  ],
  ['a policy without an unsafe source', ...csp("default-src 'self'", 'csp-implemented-with-no-unsafe')],
  ['inline scripts', ...csp("default-src 'self' 'unsafe-inline'", 'csp-implemented-with-unsafe-inline')],
  ['scripts from data:', ...csp("script-src data:; object-src 'none'", 'csp-implemented-with-unsafe-inline')],
  ['no script-src and no default-src', ...csp("img-src 'self'", 'csp-implemented-with-unsafe-inline')],
  ['plug-ins of any origin', ...csp("script-src 'self'; object-src *", 'csp-implemented-with-unsafe-inline')],
  [
    'a nonce beside inline scripts',
    ...csp(
      "default-src 'none'; script-src 'nonce-a' 'unsafe-inline'",
      'csp-implemented-with-no-unsafe-default-src-none',
    ),
  ],
  [
    'strict-dynamic with a hash beside https:',
    ...csp(
      "default-src 'none'; script-src 'strict-dynamic' 'sha256-a=' https:",
      'csp-implemented-with-no-unsafe-default-src-none',
    ),
  ],
  ['strict-dynamic alone', ...csp("default-src 'none'; script-src 'strict-dynamic'", 'csp-header-invalid')],
  ['eval', ...csp("default-src 'self' 'unsafe-eval'", 'csp-implemented-with-unsafe-eval')],
  [
    'scripts over plain HTTP',
    ...csp("default-src 'self' http://a.example", 'csp-implemented-with-insecure-scheme'),
  ],
  [
    'images over plain HTTP',
    ...csp(
      "default-src 'none'; img-src http://a.example",
      'csp-implemented-with-insecure-scheme-in-passive-content-only',
    ),
  ],
  ['a directive twice', ...csp("default-src 'none'; default-src 'self'", 'csp-header-invalid')],
  [
    'two policies, the second of which forbids the inline scripts of the first',
    ...csp(["default-src 'self' 'unsafe-inline'", "default-src 'self'"], 'csp-implemented-with-no-unsafe'),
  ],
  [
    'a policy in the page',
    {
      headers: { ...PLAIN, 'content-security-policy': [] },
      html: `<meta http-equiv="Content-Security-Policy" content="default-src 'none'">`,
    },
    ['csp-implemented-with-no-unsafe-default-src-none'],
  ],
  [
    'a report-only policy',
    {
      headers: {
        ...PLAIN,
        'content-security-policy': [],
        'content-security-policy-report-only': "default-src 'none'",
      },
    },
    ['csp-not-implemented'],
  ],
  [
    'a good cookie',
    ...cookie('a=1; Secure; HttpOnly; SameSite=Lax', 'cookies-secure-with-httponly-sessions-and-samesite'),
  ],
  ['a cookie without SameSite', ...cookie('a=1; Secure', 'cookies-secure-with-httponly-sessions')],
  [
    'a cookie without Secure, behind HSTS',
    ...cookie('a=1', 'cookies-without-secure-flag-but-protected-by-hsts'),
  ],
  [
    'a session without Secure, behind HSTS',
    ...cookie('session=1; HttpOnly', 'cookies-session-without-secure-flag-but-protected-by-hsts'),
  ],
  ['a session without HttpOnly', ...cookie('SESSION=1; Secure', 'cookies-session-without-httponly-flag')],
  ['a SameSite that is none', ...cookie('a=1; Secure; SameSite=yes', 'cookies-samesite-flag-invalid')],
  ['SameSite=None without Secure', ...cookie('a=1; SameSite=None', 'cookies-samesite-flag-invalid')],
  ['a CSRF token without SameSite', ...cookie('xcsrf=1; Secure', 'cookies-anticsrf-without-samesite-flag')],
  [
    'the worst of two cookies',
    ...cookie(['a=1; Secure', 'login=1; Secure'], 'cookies-session-without-httponly-flag'),
  ],
  [
    'a session without Secure and without HSTS',
    { headers: { ...PLAIN, 'strict-transport-security': [], 'set-cookie': 'sess=1' } },
    ['hsts-not-implemented', 'cookies-session-without-secure-flag'],
  ],
  [
    'a cookie without Secure and without HSTS',
    { headers: { ...PLAIN, 'strict-transport-security': [], 'set-cookie': 'a=1' } },
    ['hsts-not-implemented', 'cookies-without-secure-flag'],
  ],
  [
    'a reflected origin with credentials',
    {
      headers: PLAIN,
      preflight: {
        'access-control-allow-origin': 'https://attacker.example',
        'access-control-allow-credentials': 'true',
      },
    },
    ['cross-origin-resource-sharing-implemented-with-universal-access'],
  ],
  [
    'a reflected origin',
    { headers: PLAIN, preflight: { 'access-control-allow-origin': 'https://attacker.example' } },
    ['cross-origin-resource-sharing-implemented-with-restricted-access'],
  ],
  [
    'every origin',
    { headers: PLAIN, preflight: { 'access-control-allow-origin': '*' } },
    ['cross-origin-resource-sharing-implemented-with-public-access'],
  ],
  ['a redirect to HTTPS', { headers: PLAIN, plain: 'https://api.example.com/' }, ['redirection-to-https']],
  [
    'a redirect to another host',
    { headers: PLAIN, plain: 'https://www.example.com/' },
    ['redirection-off-host-from-http'],
  ],
  [
    'a redirect to plain HTTP',
    { headers: PLAIN, plain: 'http://api.example.com/x' },
    ['redirection-not-to-https'],
  ],
  ['no redirect', { headers: PLAIN, plain: 'none' }, ['redirection-missing']],
  [
    'a short HSTS',
    { headers: { ...PLAIN, 'strict-transport-security': 'max-age=86400' } },
    ['hsts-implemented-max-age-less-than-six-months'],
  ],
  [
    'two HSTS',
    { headers: { ...PLAIN, 'strict-transport-security': ['max-age=31536000', 'max-age=1'] } },
    ['hsts-header-invalid'],
  ],
  [
    'an HSTS without max-age',
    { headers: { ...PLAIN, 'strict-transport-security': 'includeSubDomains' } },
    ['hsts-header-invalid'],
  ],
  ['a certificate that is not valid', { headers: PLAIN, tls: 'invalid' }, ['hsts-invalid-cert']],
  [
    'a private Referrer-Policy behind an unknown one',
    { headers: { ...PLAIN, 'referrer-policy': 'no-referrer, bogus' } },
    ['referrer-policy-private'],
  ],
  [
    'an unsafe Referrer-Policy',
    { headers: { ...PLAIN, 'referrer-policy': 'no-referrer, unsafe-url' } },
    ['referrer-policy-unsafe'],
  ],
  [
    'an unknown Referrer-Policy',
    { headers: { ...PLAIN, 'referrer-policy': 'bogus' } },
    ['referrer-policy-header-invalid'],
  ],
  [
    'a script of the site',
    ...script(
      '<script src="/a.js"></script>',
      'sri-not-implemented-but-all-scripts-loaded-from-secure-origin',
    ),
  ],
  [
    'a script of the site with its hash',
    ...script(
      '<script src="/a.js" integrity="sha256-a"></script>',
      'sri-implemented-and-all-scripts-loaded-securely',
    ),
  ],
  [
    'a foreign script',
    ...script(
      '<script async src=https://cdn.test/a.js></script>',
      'sri-not-implemented-but-external-scripts-loaded-securely',
    ),
  ],
  [
    'a foreign script over plain HTTP',
    ...script(
      "<SCRIPT SRC='http://cdn.test/a.js'></SCRIPT>",
      'sri-not-implemented-and-external-scripts-not-loaded-securely',
    ),
  ],
  [
    'a foreign script of no scheme, with its hash',
    ...script(
      '<script src="//cdn.test/a.js" integrity="sha256-a"></script>',
      'sri-implemented-but-external-scripts-not-loaded-securely',
    ),
  ],
  [
    'a nosniff that is none',
    { headers: { ...PLAIN, 'x-content-type-options': 'sniff' } },
    ['x-content-type-options-header-invalid'],
  ],
  [
    'a frame option that is none',
    { headers: { ...PLAIN, 'x-frame-options': 'ALLOWALL' } },
    ['x-frame-options-header-invalid'],
  ],
  [
    'ALLOW-FROM',
    { headers: { ...PLAIN, 'x-frame-options': 'ALLOW-FROM https://a.example' } },
    ['x-frame-options-allow-from-origin'],
  ],
  [
    'a Cross-Origin-Resource-Policy of a site',
    { headers: { ...PLAIN, 'cross-origin-resource-policy': 'Same-Site' } },
    ['cross-origin-resource-policy-implemented-with-same-site'],
  ],
  [
    'a Cross-Origin-Resource-Policy of all',
    { headers: { ...PLAIN, 'cross-origin-resource-policy': 'cross-origin' } },
    ['cross-origin-resource-policy-implemented-with-cross-origin'],
  ],
  [
    'a Cross-Origin-Resource-Policy that is none',
    { headers: { ...PLAIN, 'cross-origin-resource-policy': 'none' } },
    ['cross-origin-resource-policy-header-invalid'],
  ],
];

test.each(ROWS)('%s', (_title, site, results) => expect(score(site)).toEqual(published(results)));

test('the table covers every grade of the description between F and A+', () => {
  const reached = new Set(ROWS.map(([, , results]) => published(results).grade));
  expect(reached.size).toBeGreaterThanOrEqual(8);
});

test('behind a proxy that adds TLS, neither HSTS nor the redirect costs points', () => {
  const facts = {
    isTls: false,
    isVerified: false,
    hostname: '127.0.0.1',
    page: { status: 200, headers: linesOf(PLAIN), body: '' },
    others: [],
    preflight: { status: 204, headers: [], body: '' },
    origin: 'https://attacker.example',
    plain: 'none',
  };
  expect([scoreHeaders(facts).score, scoreHeaders(facts, true).score]).toEqual([60, 100]);
  // HSTS protects a cookie without Secure, and sources of plain HTTP count.
  const lines = linesOf({
    ...PLAIN,
    'set-cookie': 'session=1; HttpOnly; SameSite=Lax',
    'content-security-policy': "default-src 'none'; img-src http://images.example",
  });
  const weak = scoreHeaders({ ...facts, page: { ...facts.page, headers: lines } }, true).tests;
  expect([weak.get('cookies')![0], weak.get('csp')![0]]).toEqual([-10, -10]);
});
