/* The table as pure functions: subjects that no app of a test can be, silenced findings, and the order of a report. */
import type { Subject } from '../../src/check/check.js';
import { CHECK_TABLE } from '../../src/check/check-table.js';
import { configErrorReport } from '../../src/check/config-error-report.js';
import { describeOptions, VARIABLES } from '../../src/check/describe-options.js';
import { diagnose, formatDiagnosis } from '../../src/check/doctor.js';
import { SEVERITIES } from '../../src/check/finding.js';
import { type CheckRun, fails, runChecks } from '../../src/check/run-checks.js';
import { satisfies } from '../../src/check/version-range.js';
import { readNpmAudit } from '../../src/cli/npm-audit.js';
import { FEATURES } from '../../src/features.js';
import { summarizeLimits } from '../../src/rate-limit/summarize-limits.js';
import { resolveOptions } from '../../src/resolve-options.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorOf } from '../support/option-keys.js';

const RUN: CheckRun = { deploy: true, risks: [], docsBase: '' };
const OPTIONS = { hosts: ['api.example.com'], trustProxy: 'loopback', auth: { identify: () => undefined } };

function subject(options: object = {}, variables: Record<string, string> = {}): Subject {
  return {
    options: resolveOptions({ ...OPTIONS, ...options }, name => variables[name]),
    app: {
      hasTls: false,
      registered: new Set(),
      hasGateways: false,
      tools: [],
      sourceMaps: [],
      installed: new Set(),
    },
    environment: {
      variables: { NODE_ENV: 'production' },
      isRoot: false,
      isContainer: false,
      hasInspector: false,
      files: [],
    },
    versions: [],
    audit: undefined,
  };
}

const idsOf = (given: Subject, run = RUN): string[] =>
  runChecks(CHECK_TABLE, given, run).findings.map(({ id }) => id);

describe('the table of checks', () => {
  it('finds nothing in a subject without a fault', () => expect(idsOf(subject())).toEqual([]));

  it('finds a version outside its range', () => {
    const versions = [{ name: '@nestjs/core', version: '9.0.0', range: '^12', isSupported: false }];
    const { findings } = runChecks(CHECK_TABLE, { ...subject(), versions }, RUN);
    expect(findings.map(({ id, message }) => [id, message])).toEqual([
      ['ASEC-C044', '@nestjs/core is 9.0.0, and ^12 is supported'],
    ]);
  });

  it.each([
    [
      'without TLS',
      'redis://:password@redis.example.com:6379/0',
      'REDIS_URL names redis.example.com without TLS',
    ],
    ['without a password', 'rediss://redis.example.com:6379/0', 'REDIS_URL has no password'],
  ])('finds a Redis server %s, and shows no password', (_title, url, message) => {
    const { findings } = runChecks(CHECK_TABLE, subject({}, { REDIS_URL: url }), RUN);
    expect(findings.map(finding => [finding.id, finding.message])).toEqual([['ASEC-C069', message]]);
    expect(JSON.stringify(findings)).not.toContain(':password');
  });

  it.each(['redis://127.0.0.1:6379', 'rediss://app:password@redis.example.com'])(
    'finds nothing in %s',
    url => {
      expect(idsOf(subject({}, { REDIS_URL: url }))).toEqual([]);
    },
  );

  it('has the risks of the start-up summary', () => {
    process.env['WEB_CONCURRENCY'] = '4';
    const given = subject();
    const { warnings: risks = [] } = summarizeLimits(given.options.rateLimit);
    delete process.env['WEB_CONCURRENCY'];
    const { findings } = runChecks(CHECK_TABLE, given, { ...RUN, risks });
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'ASEC-C008',
        severity: 'warning',
        option: 'rateLimit.store',
        remedy: 'Set REDIS_URL or rateLimit.store.',
        docs: 'docs/reference/checks.md#asec-c008',
      }),
    ]);
  });

  it('has one row per ID, in the order of the IDs within a group', () => {
    const ids = CHECK_TABLE.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(ids.toSorted());
  });

  it('writes each sentence as the report needs it', () => {
    const rows = CHECK_TABLE.flatMap(check => (check.find === undefined ? [] : check));
    expect(rows.filter(({ why }) => !/^[a-z].*[^.]$/.test(why)).map(({ id }) => id)).toEqual([]);
    expect(rows.filter(({ remedy }) => !/^[A-Z].*\.$/.test(remedy)).map(({ id }) => id)).toEqual([]);
    expect(CHECK_TABLE.filter(({ title }) => !/^(?:[A-Z@]|helmet).*\.$/.test(title))).toEqual([]);
  });
});

describe('a report', () => {
  const broken = { noStore: false, cors: false, hosts: ['localhost'] };

  it('has the gravest findings first', () => {
    const { findings } = runChecks(CHECK_TABLE, subject(broken), RUN);
    expect(findings.map(({ id, severity }) => [id, severity])).toEqual([
      ['ASEC-C055', 'error'],
      ['ASEC-C014', 'warning'],
      ['ASEC-C017', 'note'],
    ]);
  });

  it('keeps silenced findings apart, with their reasons', () => {
    const silence = { 'ASEC-C014': 'The gateway checks origins.' };
    const { findings, silenced } = runChecks(CHECK_TABLE, subject({ ...broken, check: { silence } }), RUN);
    expect(findings.map(({ id }) => id)).toEqual(['ASEC-C055', 'ASEC-C017']);
    expect(silenced).toEqual([
      expect.objectContaining({ id: 'ASEC-C014', reason: 'The gateway checks origins.' }),
    ]);
  });

  it('reports an entry of check.silence that finds nothing, unless its check did not run', () => {
    const silence = { 'ASEC-C050': 'x', 'ASEC-C999': 'x', 'ASEC-C014': 'x' };
    const given = subject({ check: { silence } });
    const options = (run: CheckRun): string[] =>
      runChecks(CHECK_TABLE, given, run).findings.map(({ option }) => option);
    const stale = ['check.silence.ASEC-C999', 'check.silence.ASEC-C014'];
    expect(options(RUN)).toEqual(['check.silence.ASEC-C050', ...stale]);
    expect(options({ ...RUN, deploy: false })).toEqual(stale);
  });

  it.each([
    ['error', [true, true, true]],
    ['warning', [true, true, false]],
    ['note', [true, false, false]],
  ] as const)('with a finding of %s fails from that level on', (severity, expected) => {
    const { findings } = runChecks(CHECK_TABLE, subject(broken), RUN);
    const found = findings.filter(finding => finding.severity === severity);
    expect(SEVERITIES.map(level => fails(found, level))).toEqual(expected);
    expect(SEVERITIES.map(level => fails([], level))).toEqual([false, false, false]);
  });
});

describe('a configuration error', () => {
  it('is the finding of its code', () => {
    const error = errorOf(() => resolveOptions({ hosts: ['https://api.example.com'] }, () => undefined));
    const { findings } = configErrorReport(error, process.cwd())!;
    expect(findings).toEqual([
      {
        id: 'ASEC_HOST_SCHEME',
        severity: 'error',
        option: 'hosts[0]',
        message: 'hosts[0] must not carry a scheme, received "https://api.example.com"',
        why: 'the app does not start',
        remedy: 'Write "api.example.com".',
        docs: 'docs/reference/errors.md#asec_host_scheme',
      },
    ]);
  });

  it('is no other error', () => {
    expect(configErrorReport(new Error('no database'), process.cwd())).toBeUndefined();
    expect(configErrorReport(undefined, process.cwd())).toBeUndefined();
  });
});

describe('the options with their sources', () => {
  const variables: Record<string, string> = {
    CORS_ORIGINS: 'https://app.example.com',
    REDIS_URL: 'redis://app:password@redis.example.com',
    AUTH_API_KEYS: '{"agents":{},"keys":[]}',
    AUTH_KEY_SECRET: 'S'.repeat(40),
  };
  const input = {
    hosts: ['api.example.com'],
    auth: true,
    body: { maxDepth: 5 },
    rateLimit: { flood: false },
  };
  const rows = describeOptions(FEATURES, input, name => variables[name]);

  it.each([
    ['hosts', '[ "api.example.com" ]', 'option'],
    ['auth', 'true', 'option'],
    ['body.maxDepth', '5', 'option'],
    ['body.maxKeys', '10000', 'default'],
    ['rateLimit.flood', 'false', 'option'],
    ['cors.origins', '"https://app.example.com"', 'CORS_ORIGINS'],
    ['rateLimit.store', expect.stringContaining('not shown'), 'REDIS_URL'],
    ['auth.apiKeys.secret', expect.stringContaining('not shown'), 'AUTH_KEY_SECRET'],
    ['trustProxy', '-', 'default'],
  ])('%s is %s by %s', (option, value, source) => {
    expect(rows.filter(row => row.option === option)).toEqual([{ option, value, source }]);
  });

  it('has a row for each option of a feature, and none for what readers make of a default', () => {
    expect(rows.filter(({ option }) => option.includes('['))).toEqual([]);
    expect(
      rows.map(({ option }) => option).filter(option => option.startsWith('rateLimit.messages')),
    ).toEqual(['rateLimit.messages']);
  });

  it('knows the variables of the reference', () => {
    const page = readFileSync(join(__dirname, '../../docs/reference/options.md'), 'utf8');
    const table = [...page.matchAll(/^\| `([A-Z_]+)`\s*\| \[`([\w.]+)`\]/gm)];
    const expected = table.map(([, variable, option]) => [
      // `trustProxy` is short for it.
      option!.replace('trustProxy.proxies', 'trustProxy'),
      variable!,
    ]);
    expect([...VARIABLES].toSorted()).toEqual(expected.toSorted());
  });

  it('are printed by doctor, with versions and conflicts', () => {
    const report = {
      ...runChecks(CHECK_TABLE, subject(), RUN),
      notes: [],
      options: rows,
      summary: ['hosts: api.example.com'],
      versions: [{ name: 'node', version: '20.20.2', range: '>=20', isSupported: true }],
      installed: ['helmet'],
    };
    const text = formatDiagnosis(diagnose(report));
    expect(text).toContain('node 20.20.2 (supported: >=20)');
    expect(text).toContain('helmet is installed, and not seen in the app.');
    expect(text).toMatch(/ {2}cors\.origins +"https:\/\/app\.example\.com" {2}\[CORS_ORIGINS\]/);
    expect(text).not.toMatch(/password|S{40}/);
  });
});

describe('satisfies()', () => {
  it.each([
    ['20.19.0', '^20.19 || ^22.12 || >=24', true],
    ['20.18.9', '^20.19 || ^22.12 || >=24', false],
    ['23.0.0', '^20.19 || ^22.12 || >=24', false],
    ['26.1.0', '^20.19 || ^22.12 || >=24', true],
    ['12.5.1', '^11 || ^12', true],
    ['13.0.0', '^11 || ^12', false],
    ['0.1.13', '^0.1.12 || ^0.2.0', true],
    ['0.3.0', '^0.1.12 || ^0.2.0', false],
    ['6.0.4', '~6.0', true],
    ['6.1.0', '~6.0', false],
    ['12.0.0-next.1', '^12', true],
    ['4.5.0', '>=4 <5', true],
    ['5.0.0', '>=4 <5', false],
    ['1.2.3', '*', true],
  ])('%s in %s is %s', (version, range, expected) => expect(satisfies(version, range)).toBe(expected));
});

describe('the answer of npm audit', () => {
  it('names vulnerable packages', () => {
    const vulnerabilities = { qs: { severity: 'high' }, ms: { severity: 'low' } };
    expect(readNpmAudit(JSON.stringify({ vulnerabilities }))).toEqual({
      vulnerable: [
        { name: 'qs', severity: 'high' },
        { name: 'ms', severity: 'low' },
      ],
    });
  });

  it.each([
    ['no answer', '', 'npm did not answer'],
    ['an error', '{"error":{"code":"ENOLOCK","summary":"This needs a lockfile."}}', 'This needs a lockfile.'],
    ['a message', '{"message":"request failed"}', 'the registry did not answer'],
  ])('is a note where there is %s', (_title, text, reason) => {
    expect(readNpmAudit(text).note).toContain(reason);
  });
});

test('an app that starts loads no more of the checks than their option', () => {
  const src = join(__dirname, '../../src');
  const loaded = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const text = readFileSync(join(src, file), 'utf8');
    // Imports of types are gone at run time, and import() is called on demand.
    for (const [, clause, from] of text.matchAll(/^(?:im|ex)port\s+([^;'"]*?)\s+from\s+'(\.[^']+)';/gm))
      if (!clause!.startsWith('type '))
        load(join(file, '..', from!.replace(/\.js$/, '.ts')).replaceAll('\\', '/'));
  };
  load('agent-security.module.ts');
  expect(loaded.size).toBeGreaterThan(100);
  expect(
    [...loaded].filter(file => /^(?:check|cli)\//.test(file) || file === 'inspect-app.ts').toSorted(),
  ).toEqual(['check/check.feature.ts', 'check/check.options.ts']);
});
