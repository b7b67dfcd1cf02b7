/* Runs the table of checks over a subject: pure. */
import type { Risk } from '../common/risk.js';
import type { Check, Subject } from './check.js';
import {
  type CheckFinding,
  type CheckRule,
  SEVERITIES,
  type CheckSeverity,
  type SilencedFinding,
} from './finding.js';

export interface CheckRun {
  readonly deploy: boolean;
  /** What the start-up summary warns of. */
  readonly risks: readonly Risk[];
  /** The URL in front of the pages of docs/; empty for a path in the repository. */
  readonly docsBase: string;
}

export interface CheckResult {
  readonly findings: readonly CheckFinding[];
  readonly silenced: readonly SilencedFinding[];
  readonly rules: readonly CheckRule[];
}

/** Where the reference describes a check, a rule of `scan`, or a code of a configuration error. */
export const docsOf = (id: string, docsBase: string): string => {
  const page = id.includes('_') ? 'errors' : id.startsWith('ASEC-S') ? 'scans' : 'checks';
  return `${docsBase}docs/reference/${page}.md#${id.toLowerCase()}`;
};

export function runChecks(table: readonly Check[], subject: Subject, run: CheckRun): CheckResult {
  const { silence } = subject.options.check;
  const active = table.filter(({ deploy }) => deploy !== true || run.deploy);
  const found = active.flatMap(check =>
    risksOf(check, subject, run.risks).map(risk => toFinding(risk, check.severity, run.docsBase)),
  );
  const unused = [...silence.keys()].filter(id => isStale(id, table, active, found));
  const all = [...found, ...unused.map(id => toFinding(staleSilence(id), 'note', run.docsBase))];
  return {
    findings: bySeverity(all.filter(({ id }) => !silence.has(id))),
    silenced: all.flatMap(finding => {
      const reason = silence.get(finding.id);
      return reason === undefined ? [] : [{ ...finding, reason }];
    }),
    rules: [...active, STALE_SILENCE].map(({ id, severity, title }) => ({
      id,
      severity,
      title,
      docs: docsOf(id, run.docsBase),
    })),
  };
}

function risksOf(check: Check, subject: Subject, risks: readonly Risk[]): readonly Risk[] {
  const { id } = check;
  if (check.find === undefined) return risks.filter(risk => risk.id === id);
  const { why, remedy } = check;
  return check.find(subject).map(([option, fault]) => ({ id, option, fault, why, remedy }));
}

export function toFinding(
  { id, option, fault, why, remedy }: Omit<Risk, 'id'> & { readonly id: string },
  severity: CheckSeverity,
  docsBase: string,
): CheckFinding {
  return { id, severity, option, message: `${option} ${fault}`, why, remedy, docs: docsOf(id, docsBase) };
}

/** The row of what the run itself finds. */
export const STALE_SILENCE = {
  /** @see docs/check.md#silence-a-finding */
  id: 'ASEC-C045',
  severity: 'note',
  title: 'A silenced finding is not found.',
  why: 'the reason is out of date, or the ID is misspelt',
  remedy: 'Remove the entry.',
} as const;

/** Whether an entry of `check.silence` matches nothing. One of a deployment's checks matches only where those run. */
function isStale(
  id: string,
  table: readonly Check[],
  active: readonly Check[],
  found: readonly CheckFinding[],
): boolean {
  const isSkipped = table.some(check => check.id === id) && !active.some(check => check.id === id);
  return id !== STALE_SILENCE.id && !isSkipped && !found.some(finding => finding.id === id);
}

const staleSilence = (silenced: string): Risk => ({
  ...STALE_SILENCE,
  option: `check.silence.${silenced}`,
  fault: 'silences nothing',
});

/** The gravest first. */
export const bySeverity = (findings: readonly CheckFinding[]): readonly CheckFinding[] =>
  findings.toSorted((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity));

/** Whether a report has a finding of this severity or a graver one. */
export const fails = (findings: readonly CheckFinding[], level: CheckSeverity): boolean =>
  findings.some(({ severity }) => SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(level));
