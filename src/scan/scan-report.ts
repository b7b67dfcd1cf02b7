/* The report of a scan: the findings of the rules, and a grade for each section. */
import type { CheckFinding, ScanGrades, SectionGrade, ShownReport } from '../check/finding.js';
import { bySeverity, docsOf, toFinding } from '../check/run-checks.js';
import { gradeOf } from './headers/grade.js';
import type { ScanRule, Section } from './rule.js';
import { SCAN_TABLE } from './rule-table.js';
import type { Observed } from './scan.js';

/** What a rule that finds something costs its section, however often it does. The section `headers` has the Observatory's score. */
const COSTS = { error: 50, warning: 15, note: 5 } as const;

/** @param silence the reasons of accepted findings, by ID; @param docsBase the URL in front of the pages of docs/ */
export function reportScan(
  observed: Observed,
  silence: ReadonlyMap<string, string>,
  docsBase: string,
): ShownReport {
  const { facts, behindTls, hasMcp, notes } = observed;
  const rules = SCAN_TABLE.filter(({ section }) => hasMcp || section !== 'mcp');
  const all = bySeverity(
    rules.flatMap(rule =>
      rule
        .find(facts)
        .map(([option, fault]) => toFinding({ ...rule, option, fault }, rule.severity, docsBase)),
    ),
  );
  const findings = all.filter(({ id }) => !silence.has(id));
  const unused = [...silence.keys()].filter(id => !all.some(finding => finding.id === id));
  const { target } = facts;
  const plainHeaders: Partial<ScanGrades> = target.isTls ? {} : { behindTls: headerGrade(behindTls) };
  const headers = headerGrade(facts.headers);
  // TLS ends at a proxy, which is not on a developer's machine.
  const isLocal = target.isLoopback && !target.isTls;
  const sections = [...new Set(rules.map(({ section }) => section))].map(section =>
    section === 'headers' ? headers : gradeSection(section, rules, findings),
  );
  return {
    findings,
    silenced: all.flatMap(finding => {
      const reason = silence.get(finding.id);
      return reason === undefined ? [] : [{ ...finding, reason }];
    }),
    rules: rules.map(({ id, severity, title }) => ({ id, severity, title, docs: docsOf(id, docsBase) })),
    notes: [...notes, ...unused.map(id => `${id} is silenced, and was not found.`)],
    versions: [],
    scan: {
      target: `${target.origin}${target.shownPath}`,
      grade: gradeOf(
        Math.min(...sections.map(each => (each === headers && isLocal ? behindTls : each).score)),
      ),
      sections,
      ...plainHeaders,
    },
  };
}

const headerGrade = ({ score, grade }: Observed['behindTls']): SectionGrade => ({
  section: 'headers',
  score,
  grade,
});

function gradeSection(
  section: Section,
  rules: readonly ScanRule[],
  findings: readonly CheckFinding[],
): SectionGrade {
  const found = rules.filter(rule => rule.section === section && findings.some(({ id }) => id === rule.id));
  const score = Math.max(0, 100 - found.reduce((sum, { severity }) => sum + COSTS[severity], 0));
  return { section, score, grade: gradeOf(score) };
}
