import { readReports } from '../../src/csp-reports/read-reports.js';
import { CspReports } from '../../src/csp-reports/csp-reports.js';
import type { CspViolation } from '../../src/csp-reports/csp-violation.js';

const modern = (body: object, type = 'csp-violation'): string =>
  JSON.stringify([{ type, age: 5, url: 'https://app.test/page?token=secret', user_agent: 'secret', body }]);
const old = (report: object): string => JSON.stringify({ 'csp-report': report });

type Row = [title: string, text: string, expected: readonly Partial<CspViolation>[] | undefined];
const rows: Row[] = [
  [
    'a report of the Reporting API',
    modern({
      effectiveDirective: 'script-src-elem',
      blockedURL: 'https://evil.test/x.js?id=secret',
      documentURL: 'https://app.test/page?token=secret#secret',
      disposition: 'report',
      sample: 'secret',
    }),
    [
      {
        directive: 'script-src-elem',
        blocked: 'https://evil.test',
        page: 'https://app.test/page',
        disposition: 'report',
      },
    ],
  ],
  [
    'a report of an old browser',
    old({
      'violated-directive': "img-src 'self' secret",
      'blocked-uri': 'data',
      'document-uri': 'https://app.test/',
    }),
    [{ directive: 'img-src', blocked: 'data', page: 'https://app.test/', disposition: 'enforce' }],
  ],
  [
    'inline code',
    modern({ effectiveDirective: 'script-src', blockedURL: 'inline' }),
    [{ blocked: 'inline', page: 'https://app.test/page' }],
  ],
  [
    'a scheme without an origin',
    modern({ effectiveDirective: 'img-src', blockedURL: 'data:text/html,secret' }),
    [{ blocked: 'data' }],
  ],
  [
    'an invalid URL',
    modern({ effectiveDirective: 'img-src', blockedURL: 'SECRET\n\u001b[31m' }),
    [{ blocked: 'unknown' }],
  ],
  [
    'a URL of a megabyte',
    modern({ effectiveDirective: 'img-src', blockedURL: `https://a.test/${'a'.repeat(1e6)}` }),
    [{ blocked: 'unknown' }],
  ],
  ['another kind of report', modern({ id: 'x' }, 'deprecation'), []],
  ['an invalid directive', modern({ effectiveDirective: '<script>' }), []],
  ['members of other types', modern({ effectiveDirective: ['a'], blockedURL: 5 }), []],
  ['a list of nothing', '[]', []],
  ['a list of something else', '[1,null,"a",[]]', []],
  ['an object of something else', '{"a":1}', undefined],
  ['a text', '"csp-report"', undefined],
  ['no JSON', '<xml>', undefined],
];

it.each(rows)('%s', (_title, text, expected) => {
  const found = readReports(Buffer.from(text));
  expect(found).toEqual(expected?.map(part => expect.objectContaining(part)));
  expect(JSON.stringify(found) ?? '').not.toMatch(/secret/i);
});

it('reads a hundred reports at most', () => {
  const [report] = JSON.parse(modern({ effectiveDirective: 'img-src', blockedURL: 'inline' })) as unknown[];
  expect(readReports(Buffer.from(JSON.stringify(Array(500).fill(report))))).toHaveLength(100);
});

describe('CspReports', () => {
  const violation = (blocked: string): CspViolation => ({
    directive: 'img-src',
    blocked,
    page: undefined,
    disposition: 'enforce',
  });

  it('counts by kind, the most frequent first, and keeps the last ones', () => {
    const reports = new CspReports(10);
    expect(['a', 'b', 'b'].map(blocked => reports.add(violation(blocked), 'a'))).toEqual([1, 1, 2]);
    expect(reports.summary()).toMatchObject({
      total: 3,
      others: 0,
      top: [
        { directive: 'img-src', blocked: 'b', count: 2 },
        { blocked: 'a', count: 1 },
      ],
      samples: [{ blocked: 'a' }, { blocked: 'b' }, { blocked: 'b' }],
    });
    expect(reports.summary(1).top).toHaveLength(1);
  });

  const invent = (reports: CspReports, count: number, reporters: readonly string[]): void => {
    for (let n = 0; n < count; n++)
      for (const reporter of reporters) reports.add(violation(`https://${n}.invented.test`), reporter);
  };
  const REAL = 'https://real.test';
  const countOf = (reports: CspReports): number | undefined =>
    reports.summary(1_000).top.find(({ blocked }) => blocked === REAL)?.count;

  it('stays bounded when kinds are made up, and counts what gave way with the others', () => {
    const reports = new CspReports(5);
    invent(reports, 1_000, ['attacker']);
    const { total, others, top, samples } = reports.summary(100);
    expect([total, others, top.length, samples.length]).toEqual([1_000, 995, 5, 20]);
  });

  type Attack = readonly [title: string, attackers: readonly string[]];
  const attacks: readonly Attack[] = [
    ['one address', ['attacker']],
    ['two addresses that report the same', ['attacker', 'accomplice']],
    ['nine addresses that report the same', Array.from({ length: 9 }, (_, index) => `attacker ${index}`)],
  ];
  it.each(attacks)('counts a real kind after 200 invented ones by %s', (_title, attackers) => {
    const reports = new CspReports(200);
    invent(reports, 400, attackers);
    expect(reports.add(violation(REAL), 'browser 1')).toBe(1);
    expect(reports.add(violation(REAL), 'browser 2')).toBe(2);
    invent(reports, 1_000, attackers);
    expect(countOf(reports)).toBe(2);
    expect(reports.summary(1_000).top).toHaveLength(200);
  });

  it('keeps a kind that one browser has reported while one address makes kinds up', () => {
    const reports = new CspReports(200);
    reports.add(violation(REAL), 'browser');
    invent(reports, 1_000, ['attacker']);
    expect(countOf(reports)).toBe(1);
  });
});

it.each([
  [
    'bytes that are no UTF-8',
    Buffer.concat([Buffer.from('{"csp-report":{"a":"'), Buffer.from([0xff]), Buffer.from('"}}')]),
  ],
  ['a key twice', Buffer.from('{"csp-report":{},"csp-report":{}}')],
  ['deep nesting', Buffer.from('['.repeat(60_000))],
])('reads no report from %s', (_title, bytes) => expect(readReports(bytes)).toBeUndefined());
