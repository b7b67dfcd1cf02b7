import fc from 'fast-check';
import { checkUrl, type UrlDecision } from '../../src/url/check-url.js';
import { AMBIGUITIES, type ResolvedUrl, type UrlAmbiguity } from '../../src/url/url.options.js';

const check = (target: string, allowed: readonly UrlAmbiguity[] = [], maxLength = 100): UrlDecision =>
  checkUrl(target, { maxLength, insecureAllow: new Set(allowed) });

type Reason = Exclude<UrlDecision, { allowed: true }>['reason'];
type Row = [title: string, target: string, expected: Reason | undefined];
const rows: Row[] = [
  ['the root', '/', undefined],
  ['a trailing slash', '/admin/', undefined],
  ['a query with everything', '/a?b=//../%2f;\\%00%zz', undefined],
  ['the absolute form', 'http://api.test/a/b', undefined],
  ['the absolute form without a path', 'http://api.test', undefined],
  ['an asterisk', '*', undefined],
  ['a file of a name with dots', '/a..b/...c/.well-known/x.', undefined],
  ['three dots', '/.../a', undefined],
  ['an encoded letter', '/%61dmin', undefined],
  ['an encoded space', '/a%20b', undefined],
  ['an encoded per cent', '/100%25', undefined],
  ['an encoded per cent before digits', '/100%2541', undefined],
  ['letters beyond ASCII', '/%C3%A9/%e2%82%ac', undefined],
  ['an encoded semicolon', '/a%3Bb', undefined],
  ['characters that browsers encode', '/<a>"{b}|^`', undefined],
  ['a query with letters beyond ASCII', '/a?é', undefined],

  ['no slash at the start', 'admin', 'malformed'],
  ['a backslash at the start', '\\admin', 'malformed'],
  ['a per cent alone', '/%', 'malformed'],
  ['a per cent without digits', '/%zz', 'malformed'],
  ['an overlong dot', '/%c0%ae%c0%ae/a', 'malformed'],
  ['half a character', '/%E0%A4%A', 'malformed'],
  ['a surrogate', '/%ED%A0%80', 'malformed'],
  ['bytes beyond ASCII', '/adm\u00efn', 'malformed'],

  ['NUL', '/a%00.txt', 'control'],
  ['a line feed', '/admin%0a', 'control'],
  ['a tab', '/admin%09', 'control'],
  ['a tab as it is', '/admin\t', 'control'],
  ['DEL', '/a%7f', 'control'],
  ['NUL, encoded twice', '/a%2500', 'control'],

  ['an encoded slash', '/a%2fb', 'encoded-slash'],
  ['an encoded slash in upper case', '/a%2Fb', 'encoded-slash'],
  ['a slash, encoded twice', '/a%252fb', 'encoded-slash'],
  ['a slash, encoded three times', '/a%25252Fb', 'encoded-slash'],
  ['a backslash', '/a\\b', 'backslash'],
  ['an encoded backslash', '/a%5cb', 'backslash'],
  ['a parameter', '/admin;x=1', 'parameter'],
  ['an empty parameter', '/admin;/', 'parameter'],
  ['two slashes', '//admin', 'empty-segment'],
  ['two slashes at the end', '/admin//', 'empty-segment'],
  ['two slashes in the absolute form', 'http://api.test//admin', 'empty-segment'],
  ['a step up', '/public/../admin', 'dot-segment'],
  ['a step up at the end', '/public/..', 'dot-segment'],
  ['a dot alone', '/./admin', 'dot-segment'],
  ['a dot at the end', '/admin/.', 'dot-segment'],
  ['an encoded step up', '/public/%2e%2e/admin', 'dot-segment'],
  ['a step up, half encoded', '/public/.%2E/admin', 'dot-segment'],
  ['a step up, encoded twice', '/public/%252e%252e/admin', 'dot-segment'],
  ['a URL that is too long', `/${'a'.repeat(100)}`, 'too-long'],
  ['a query that makes it too long', `/a?${'a'.repeat(100)}`, 'too-long'],
];

describe('checkUrl', () => {
  it.each(rows)('%s: %s', (_title, target, reason) =>
    expect(check(target)).toEqual(reason === undefined ? { allowed: true } : { allowed: false, reason }),
  );

  it.each([
    ['/a%2fb', 'encoded-slash'],
    ['/a%252fb', 'encoded-slash'],
    ['/a\\b', 'backslash'],
    ['/a%5Cb', 'backslash'],
    ['/a;b', 'parameter'],
    ['//a', 'empty-segment'],
    ['/a/../b', 'dot-segment'],
  ] as const)('%s passes with %s allowed, and with nothing else', (target, ambiguity) => {
    expect(check(target, [ambiguity])).toEqual({ allowed: true });
    expect(
      check(
        target,
        AMBIGUITIES.filter(other => other !== ambiguity),
      ).allowed,
    ).toBe(false);
  });

  it.each(['/a%00', '/%c0%ae', '/a%0d%0a', 'a'])('%s passes with nothing allowed', target =>
    expect(check(target, AMBIGUITIES).allowed).toBe(false),
  );

  it('accepts no traversal in any spelling', () => {
    const tokens = [
      '/',
      '.',
      '..',
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '\\',
      ';',
      '%252e',
      '%25',
      '2e',
      '2f',
      'a',
      '%61',
      '%00',
      '//',
      '%',
    ];
    const settings: ResolvedUrl = { maxLength: 1000, insecureAllow: new Set() };
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 10 }), parts => {
        const target = `/${parts.join('')}`;
        if (!checkUrl(target, settings).allowed) return;
        // A parser that decodes any number of times, and treats both slashes alike, stays within the path.
        let path = target;
        for (let round = 0; round < 4; round++) {
          expect(path.split(/[/\\;]/)).not.toEqual(
            expect.arrayContaining([expect.stringMatching(/^\.{1,2}$/)]),
          );
          expect(path).not.toMatch(/\0/);
          try {
            path = decodeURIComponent(path);
          } catch {
            break;
          }
        }
      }),
      { numRuns: 20_000 },
    );
  });
});
