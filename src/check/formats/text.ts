/* A report for people. */
import { logText } from '../../common/log-text.js';
import type { CheckFinding, CheckReport } from '../finding.js';

export function formatText({ findings, silenced, rules, notes }: CheckReport): string {
  const lines = [
    ...findings.flatMap(finding => [...describe(finding), '']),
    ...silenced.map(({ id, message, reason }) => `silenced ${id}: ${message} (${reason})`),
    ...notes.map(note => `note: ${note}`),
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

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
