/* A report for people. */
import { logText } from '../../common/log-text.js';
import type { CheckFinding, ScanGrades, SectionGrade, ShownReport } from '../finding.js';

export function formatText({ findings, silenced, rules, notes, scan }: ShownReport): string {
  const lines = [
    ...findings.flatMap(finding => [...describe(finding), '']),
    ...silenced.map(({ id, message, reason }) => `silenced ${id}: ${message} (${reason})`),
    ...notes.map(note => `note: ${note}`),
    ...(scan === undefined ? [] : [...describeGrades(scan), '']),
    `${count(findings.length, 'finding')} of ${count(rules.length, 'check')}, ${silenced.length} silenced`,
  ];
  return `${lines.map(logText).join('\n')}\n`;
}

const describe = ({ id, severity, message, why, remedy, docs }: CheckFinding): readonly string[] => [
  `${severity} ${id}: ${message}`,
  `  Why: ${why}.`,
  `  Fix: ${remedy}`,
  `  See: ${docs}`,
];

const describeGrades = ({ target, grade, sections, behindTls }: ScanGrades): readonly string[] => [
  `${target}: ${grade}`,
  ...sections.map(each => `  ${each.section.padEnd(12)} ${describeGrade(each)}`),
  ...(behindTls === undefined ? [] : [`  Behind TLS, the headers are ${describeGrade(behindTls)}.`]),
];

const describeGrade = ({ grade, score }: SectionGrade): string => `${grade} (${score})`;

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
