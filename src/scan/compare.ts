/* Two reports of `scan` side by side: before and after a change. */
import { type CheckFinding, type ScanGrades, SEVERITIES } from '../check/finding.js';
import { logText } from '../common/log-text.js';
import { isRecord } from '../common/read-options.js';

/** A report as its file has it. */
export interface ScanFile {
  readonly scan: ScanGrades;
  readonly findings: readonly CheckFinding[];
  readonly silenced: readonly CheckFinding[];
}

/** @returns `undefined` for text that is no report of `scan --format json` */
export function readScanFile(text: string): ScanFile | undefined {
  let file: unknown;
  try {
    // Some shells write a byte order mark.
    file = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    return undefined;
  }
  if (!isRecord(file) || !isRecord(file['scan'])) return undefined;
  const { scan, findings, silenced } = file;
  const isWhole =
    hasTexts(scan, 'target', 'grade') &&
    isListOf(
      scan['sections'],
      each => hasTexts(each, 'section', 'grade') && Number.isInteger(each['score']),
    ) &&
    isListOf(findings, isFinding) &&
    isListOf(silenced, isFinding);
  return isWhole ? (file as unknown as ScanFile) : undefined;
}

type Item = Readonly<Record<string, unknown>>;

const isListOf = (value: unknown, isItem: (item: Item) => boolean): boolean =>
  Array.isArray(value) && value.every(item => isRecord(item) && isItem(item));

/** An unknown severity would never fail. */
const isFinding = (item: Item): boolean =>
  hasTexts(item, 'id', 'option', 'message') && SEVERITIES.some(severity => severity === item['severity']);

const hasTexts = (value: Item, ...names: readonly string[]): boolean =>
  names.every(name => typeof value[name] === 'string');

export interface Comparison {
  readonly before: ScanGrades;
  readonly after: ScanGrades;
  readonly fixed: readonly CheckFinding[];
  readonly added: readonly CheckFinding[];
  readonly kept: readonly CheckFinding[];
}

const key = ({ id, message }: CheckFinding): string => `${id} ${message}`;

export function compareScans(before: ScanFile, after: ScanFile): Comparison {
  // What is silenced is still there.
  const [had, has] = [before, after].map(
    ({ findings, silenced }) => new Set([...findings, ...silenced].map(key)),
  );
  return {
    before: before.scan,
    after: after.scan,
    fixed: before.findings.filter(finding => !has!.has(key(finding))),
    added: after.findings.filter(finding => !had!.has(key(finding))),
    kept: after.findings.filter(finding => had!.has(key(finding))),
  };
}

export function formatComparison({ before, after, fixed, added, kept }: Comparison): string {
  const names = [...new Set([before, after].flatMap(({ sections }) => sections.map(each => each.section)))];
  const lines = [
    `before: ${before.target}`,
    `after:  ${after.target}`,
    '',
    row('', 'before', 'after'),
    row('all', before.grade, after.grade),
    ...names.map(name => row(name, gradeIn(before, name), gradeIn(after, name))),
    '',
    ...list('fixed', fixed),
    ...list('new', added),
    ...list('in both', kept),
  ];
  return `${lines.map(line => logText(line).trimEnd()).join('\n')}\n`;
}

const row = (name: string, a: string, b: string): string => `${name.padEnd(12)} ${a.padEnd(10)} ${b}`;

const list = (title: string, findings: readonly CheckFinding[]): readonly string[] => [
  `${title}: ${findings.length}`,
  ...findings.map(({ id, severity, message }) => `  ${severity} ${id}: ${message}`),
];

function gradeIn({ sections }: ScanGrades, name: string): string {
  const found = sections.find(({ section }) => section === name);
  return found === undefined ? '-' : `${found.grade} (${found.score})`;
}
