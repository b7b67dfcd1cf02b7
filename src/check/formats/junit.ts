/* A report in the XML of JUnit, which most CI services show: one test per check. */
import type { CheckFinding, ShownReport } from '../finding.js';

export function formatJunit({ findings, silenced, rules, notes, scan }: ShownReport): string {
  const found = new Set([...findings, ...silenced].map(({ id }) => id));
  const passed = rules.filter(({ id }) => !found.has(id));
  const cases = [
    ...findings.map(finding => testCase(finding.id, finding.option, failure(finding))),
    ...silenced.map(({ id, option, reason }) =>
      testCase(id, option, `<skipped message="${escapeXml(reason)}"/>`),
    ),
    ...passed.map(({ id, title }) => testCase(id, title, '')),
  ];
  const name = `nestjs-agent-security ${scan === undefined ? 'check' : 'scan'}`;
  const counts = `tests="${cases.length}" failures="${findings.length}" skipped="${silenced.length}" errors="0"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${name}" ${counts}>`,
    `  <testsuite name="${name}" ${counts}>`,
    ...cases.map(text => `    ${text}`),
    ...(notes.length === 0 ? [] : [`    <system-out>${escapeXml(notes.join('\n'))}</system-out>`]),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

const testCase = (id: string, name: string, content: string): string =>
  `<testcase classname="nestjs-agent-security" name="${escapeXml(`${id} ${name}`)}">${content}</testcase>`;

const failure = ({ severity, message, why, remedy, docs }: CheckFinding): string =>
  `<failure type="${severity}" message="${escapeXml(message)}">${escapeXml(`${why}. ${remedy} See ${docs}`)}</failure>`;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** XML 1.0 cannot hold control characters, not even escaped. */
const escapeXml = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '?')
    .replace(/[&<>"']/g, character => ENTITIES[character]!);
