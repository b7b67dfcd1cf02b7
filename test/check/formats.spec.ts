/* The formats of a report, each read as its readers do. */
import type { CheckReport } from '../../src/check/finding.js';
import { FORMATS } from '../../src/check/formats/formats.js';

const HOSTILE = 'a "tool" <&>\n::error::x,y\u001b[31m 100%';
const docs = 'https://example.com/docs/reference/checks.md#asec-c002';
const why = 'pages can read responses';
const remedy = 'List your origins.';
const REPORT: CheckReport = {
  findings: [
    { id: 'ASEC-C060', severity: 'error', option: 'qs', message: HOSTILE, why, remedy, docs },
    {
      id: 'ASEC-C002',
      severity: 'warning',
      option: 'cors.origins',
      message: 'cors.origins is "*"',
      why,
      remedy,
      docs,
    },
    {
      id: 'ASEC_HOST_SCHEME',
      severity: 'note',
      option: 'hosts[0]',
      message: 'hosts[0] has a scheme',
      why,
      remedy,
      docs,
    },
  ],
  silenced: [
    {
      id: 'ASEC-C001',
      severity: 'warning',
      option: 'hosts',
      message: 'hosts is off',
      why,
      remedy,
      docs: 'docs/reference/checks.md#asec-c001',
      reason: 'The ingress checks it.',
    },
  ],
  rules: ['ASEC-C001', 'ASEC-C002', 'ASEC-C003', 'ASEC-C060'].map(id => ({
    id,
    severity: 'warning',
    title: `What ${id} finds.`,
    docs,
  })),
  notes: ['Dependencies were not checked: no registry.'],
  options: [],
  summary: [],
  versions: [{ name: 'nestjs-agent-security', version: '1.2.3', range: undefined, isSupported: true }],
  installed: [],
};
const MODULE = 'dist/app,module.js';
const print = (name: string, report = REPORT): string => FORMATS.get(name)!(report, MODULE);

test('text has what was found, why it matters, the remedy and the page, on lines of its own', () => {
  const text = print('text');
  expect(text).toContain(
    `warning ASEC-C002: cors.origins is "*"\n  Why: ${why}.\n  Fix: ${remedy}\n  See: ${docs}\n`,
  );
  expect(text).toContain('silenced ASEC-C001: hosts is off (The ingress checks it.)');
  expect(text).toContain('note: Dependencies were not checked: no registry.');
  expect(text).toContain('3 findings of 4 checks, 1 silenced');
  expect(text).not.toMatch(/^::error|\u001b/m);
});

test('json has the findings as they are', () => {
  const { findings, silenced, notes, versions } = REPORT;
  expect(JSON.parse(print('json'))).toEqual({ findings, silenced, notes, versions });
});

describe('sarif', () => {
  /** What the schema of SARIF 2.1.0 requires, and the members that it knows, of the objects that a report has. */
  const SCHEMA: Readonly<Record<string, readonly [required: string[], optional: string[]]>> = {
    sarifLog: [['version', 'runs'], ['$schema']],
    run: [['tool'], ['invocations', 'results']],
    tool: [['driver'], []],
    driver: [['name'], ['version', 'rules', 'informationUri']],
    rules: [['id'], ['shortDescription', 'defaultConfiguration', 'help', 'helpUri']],
    shortDescription: [['text'], []],
    help: [['text'], []],
    defaultConfiguration: [[], ['level']],
    invocations: [['executionSuccessful'], ['toolExecutionNotifications']],
    toolExecutionNotifications: [['message'], ['level']],
    results: [
      ['message'],
      ['ruleId', 'ruleIndex', 'level', 'locations', 'partialFingerprints', 'suppressions'],
    ],
    message: [['text'], []],
    locations: [[], ['physicalLocation']],
    physicalLocation: [['artifactLocation'], ['region']],
    artifactLocation: [[], ['uri']],
    region: [[], ['startLine']],
    suppressions: [['kind'], ['justification']],
  };
  const LEVELS = ['none', 'note', 'warning', 'error'];

  /** The faults of an object against SCHEMA, by its path. */
  function faultsOf(name: string, value: unknown, path = name): string[] {
    if (Array.isArray(value))
      return value.flatMap((one, at) => faultsOf(name === 'runs' ? 'run' : name, one, `${path}[${at}]`));
    if (typeof value !== 'object' || value === null || name === 'partialFingerprints') return [];
    const [required, optional] = SCHEMA[name] ?? [[], []];
    const keys = Object.keys(value);
    return [
      ...required.filter(key => !keys.includes(key)).map(key => `${path} has no ${key}`),
      ...keys.filter(key => ![...required, ...optional].includes(key)).map(key => `${path} has ${key}`),
      ...Object.entries(value).flatMap(([key, inner]) => faultsOf(key, inner, `${path}.${key}`)),
    ];
  }

  const log = JSON.parse(print('sarif'));
  const [run] = log.runs;

  it('has the members that the schema requires, and none that it forbids', () => {
    expect(faultsOf('sarifLog', log)).toEqual([]);
    expect(faultsOf('sarifLog', { ...log, runs: [{ results: [{ level: 'note', extra: 1 }] }] })).toEqual([
      'sarifLog.runs[0] has no tool',
      'sarifLog.runs[0].results[0] has no message',
      'sarifLog.runs[0].results[0] has extra',
    ]);
    expect([log.version, log.runs.length]).toEqual(['2.1.0', 1]);
  });

  it('has one result per finding, each with its rule, level and place', () => {
    expect(
      run.results.map((result: { ruleId: string; level: string }) => [result.ruleId, result.level]),
    ).toEqual([
      ['ASEC-C060', 'error'],
      ['ASEC-C002', 'warning'],
      ['ASEC_HOST_SCHEME', 'note'],
      ['ASEC-C001', 'warning'],
    ]);
    for (const { ruleId, ruleIndex, level, locations } of run.results) {
      expect(run.tool.driver.rules[ruleIndex].id).toBe(ruleId);
      expect(LEVELS).toContain(level);
      expect(locations[0].physicalLocation.artifactLocation.uri).toBe(MODULE);
    }
    expect(run.results[3].suppressions).toEqual([
      { kind: 'external', justification: 'The ingress checks it.' },
    ]);
    expect(run.tool.driver.version).toBe('1.2.3');
  });

  it('has a helpUri only where the page has a URL', () => {
    const report = {
      ...REPORT,
      rules: [{ ...REPORT.rules[0]!, docs: 'docs/reference/checks.md#asec-c001' }],
    };
    const { rules } = JSON.parse(print('sarif', report)).runs[0].tool.driver;
    expect(rules[0].helpUri).toBeUndefined();
    expect(new URL(run.tool.driver.rules[0].helpUri).href).toBe(docs);
  });
});

test('junit has a test per finding and per check that passed', () => {
  const xml = print('junit');
  expect(xml).toContain(
    '<testsuite name="nestjs-agent-security check" tests="5" failures="3" skipped="1" errors="0">',
  );
  expect(xml.match(/<testcase /g)).toHaveLength(5);
  expect(xml.match(/<failure /g)).toHaveLength(3);
  expect(xml).toContain('<skipped message="The ingress checks it."/>');
  expect(xml).toContain('name="ASEC-C003 What ASEC-C003 finds."></testcase>');
  expect(xml).toContain('message="a &quot;tool&quot; &lt;&amp;&gt;\n::error::x,y?[31m 100%"');
});

test('github has one workflow command per finding, which no value can end or forge', () => {
  const lines = print('github').trimEnd().split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[0]).toContain(
    '::error file=dist/app%2Cmodule.js,title=ASEC-C060::a "tool" <&>%0A::error::x,y',
  );
  expect(lines[0]).toContain('100%25');
  expect(lines[1]).toMatch(
    /^::warning file=[^:]+,title=ASEC-C002::cors\.origins is "\*": pages can read responses\. /,
  );
  expect(lines[2]).toMatch(/^::notice /);
  expect(lines[3]).toBe('::notice::Dependencies were not checked: no registry.');
});
