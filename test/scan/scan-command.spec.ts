/* The command line of `scan`: its options, formats, comparison and exit codes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runScan, type ScanRun } from '../support/scan.js';

let [folder, url, before]: [string, string, string] = ['', '', ''];
let server: Server;
let seen: {
  readonly agent: string | undefined;
  readonly method: string | undefined;
  readonly url: string;
}[] = [];

const scan = (...args: string[]): Promise<ScanRun> => runScan(args, { bounds: { requestMs: 1_000 } });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scan-'));
  server = createServer((request, response) => {
    seen.push({ agent: request.headers['user-agent'], method: request.method, url: request.url! });
    response.setHeader('X-Hostile', '%0A::error::\u00e9');
    response.setHeader('Set-Cookie', '::error::"a"=1');
    response.statusCode = request.url === '/' ? 200 : 404;
    response.end('{}');
  });
  await new Promise<void>(listening => void server.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  before = join(folder, 'before.json');
  writeFileSync(before, (await scan(url, '--format', 'json')).out);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await new Promise(done => server.close(done));
});

test('names itself, and reaches no handler with a method that may change something', async () => {
  seen = [];
  await scan(url);
  expect(new Set(seen.map(({ agent }) => agent))).toEqual(new Set(['nestjs-agent-security-scan']));
  const unsafe = seen.filter(({ method }) => !['GET', 'OPTIONS', 'TRACE', 'TRACK'].includes(method!));
  expect(new Set(unsafe.map(({ url: path }) => path))).toEqual(new Set(['/agent-security-scan']));
  expect(seen.length).toBeLessThanOrEqual(300);
});

test('text has the grades, the findings and the remedies', async () => {
  const { status, out } = await scan(url);
  expect(status).toBe(1);
  expect(out).toMatch(
    /^error ASEC-S020: Host is served: "attacker\.example"\n {2}Why: .+\n {2}Fix: .+\n {2}See: docs/,
  );
  expect(out).toContain('See: docs/reference/scans.md#asec-s020');
  expect(out).toContain(`${url}: D\n  headers      F (0)\n`);
  expect(out.split('\n').filter(line => line.includes('ASEC-S055'))).toHaveLength(1);
  expect(out).toMatch(/Behind TLS, the headers are .+ \(\d+\)\./);
});

test('the formats of check show a scan as well', async () => {
  const [sarif, junit, github] = await Promise.all(
    ['sarif', 'junit', 'github'].map(async format => (await scan(url, '--format', format)).out),
  );
  const [run] = JSON.parse(sarif!).runs;
  expect(run.results[0]).toMatchObject({ ruleId: 'ASEC-S020', level: 'error' });
  expect(run.results[0].locations[0].physicalLocation.artifactLocation.uri).toBe(url);
  expect(junit).toContain('<testsuite name="nestjs-agent-security scan"');
  expect(github).toMatch(/^::error title=ASEC-S020::/);
  // What the server sent is part of a line, and begins none.
  expect(
    github!
      .split('\n')
      .filter(line => !/^(?:::(?:error|warning|notice) (?:title=ASEC)?|$|::notice::)/.test(line)),
  ).toEqual([]);
});

test('a finding is silenced with a reason, and the level decides about the exit code', async () => {
  const ids = ['ASEC-S020', 'ASEC-S030'].map(id => ['--silence', `${id}=the proxy checks it`]).flat();
  const { status, out } = await scan(url, '--fail-level', 'error', ...ids);
  expect(out).toContain('silenced ASEC-S020: Host is served: "attacker.example" (the proxy checks it)');
  expect(out).toContain('note: ASEC-S030 is silenced, and was not found.');
  expect(status).toBe(0);
});

describe('--compare', () => {
  it('shows a scan beside an earlier report', async () => {
    const { status, out } = await scan(url, '--compare', before);
    expect(status).toBe(1);
    expect(out).toMatch(
      /^before: http.+\nafter: {2}http.+\n\n {13}before {5}after\nall {10}D {10}D\nheaders {6}F \(0\)/,
    );
    expect(out).toMatch(/\nfixed: 0\nnew: 0\nin both: \d+\n {2}error ASEC-S020/);
  });

  it('shows two reports, and ends by the later one', async () => {
    const report = JSON.parse((await scan(url, '--format', 'json')).out);
    const after = join(folder, 'after.json');
    const added = { ...report.findings[0], id: 'ASEC-S999', severity: 'note', message: 'a\u001b[31m\u009b' };
    writeFileSync(after, `\ufeff${JSON.stringify({ ...report, findings: [added] })}`);
    const { status, out } = await scan('--compare', before, after);
    expect(status).toBe(0);
    expect(out).toContain('new: 1\n  note ASEC-S999: a\\u001b[31m\\u009b\n');
    expect(out).toMatch(/fixed: \d+\n {2}error ASEC-S020/);
    const printed = (await scan('--compare', before, after, '--format', 'json')).out;
    expect(printed).toContain('"message": "a\\u001b[31m\\u009b"');
    const data = JSON.parse(printed);
    expect([data.added.length, data.kept.length, data.before.grade]).toEqual([1, 0, 'D']);
  });

  it.each([
    ['no file', 'missing.json', undefined],
    ['no JSON', 'text.json', 'text'],
    ['a report of check', 'check.json', '{"findings":[],"silenced":[]}'],
    [
      'a report with a hostile member',
      'bad.json',
      '{"scan":{"target":1,"grade":"A","sections":[]},"findings":[]}',
    ],
    [
      'a report with a score that is no number',
      'score.json',
      '{"scan":{"target":"a","grade":"A","sections":[{"section":"a","grade":"A","score":{"toString":1}}]},"findings":[],"silenced":[]}',
    ],
    [
      'a report with an unknown severity',
      'severity.json',
      '{"scan":{"target":"a","grade":"A","sections":[]},"findings":[{"id":"a","severity":"fatal","option":"a","message":"a"}],"silenced":[]}',
    ],
  ])('ends with 2 for %s', async (_title, name, text) => {
    const path = join(folder, name);
    if (text !== undefined) writeFileSync(path, text);
    expect(await scan('--compare', before, path)).toMatchObject({ status: 2, out: '' });
  });
});

test.each([
  ['no URL', [], /Give one URL/],
  ['two URLs', ['http://localhost/', 'http://localhost/'], /Give one URL/],
  ['text', ['localhost:3000'], /Give an http: or https: URL/],
  ['another scheme', ['file:///etc/passwd'], /Give an http: or https: URL/],
  ['a credential in the URL', ['http://u:secret@localhost/'], /must not hold a credential/],
  ['an unknown format', ['http://localhost/', '--format', 'xml'], /--format must be one of text, json/],
  [
    'a format that a comparison has not',
    ['--compare', 'a', 'b', '--format', 'sarif'],
    /must be one of text, json\./,
  ],
  ['an unknown level', ['http://localhost/', '--fail-level', 'high'], /--fail-level must be one of/],
  [
    'a silence without a reason',
    ['http://localhost/', '--silence', 'ASEC-S020'],
    /--silence must be an ID and a reason/,
  ],
  ['a path that is none', ['http://localhost/', '--mcp', 'mcp\r\nHost: a'], /--mcp must be a path/],
  ['an unknown option', ['http://localhost/', '--deep'], /Unknown option/],
])('ends with 2 for %s', async (_title, args, err) => {
  const run = await scan(...args);
  expect([run.status, run.out]).toEqual([2, '']);
  expect(run.err).toMatch(err);
  expect(run.err).not.toContain('secret');
});

test('--help shows the usage', async () => {
  expect(await scan('--help')).toMatchObject({
    status: 0,
    out: expect.stringContaining('--i-own-this-host'),
  });
});
