/* A report in SARIF 2.1.0, which code scanning services read. */
import { printJson } from './json.js';
import type { CheckFinding, CheckRule, ShownReport, SilencedFinding } from '../finding.js';

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';
const NAME = 'nestjs-agent-security';

/** @param place the path of the app's module, since code scanning shows results of a file only, or a URL */
export function formatSarif(
  { findings, silenced, rules, versions, notes }: ShownReport,
  place: string,
): string {
  const all = [...rules, ...otherRules(rules, findings)];
  const version = versions.find(({ name }) => name === NAME)?.version;
  const toResult = (finding: CheckFinding) => ({
    ruleId: finding.id,
    ruleIndex: all.findIndex(({ id }) => id === finding.id),
    level: finding.severity,
    message: { text: `${finding.message}: ${finding.why}. ${finding.remedy}` },
    locations: [{ physicalLocation: { artifactLocation: { uri: toUri(place) }, region: { startLine: 1 } } }],
    partialFingerprints: { 'option/v1': `${finding.id}:${finding.option}` },
  });
  const toSilenced = (finding: SilencedFinding) => ({
    ...toResult(finding),
    suppressions: [{ kind: 'external', justification: finding.reason }],
  });
  const run = {
    tool: { driver: { name: NAME, ...(version === undefined ? {} : { version }), rules: all.map(toRule) } },
    invocations: [
      {
        executionSuccessful: true,
        toolExecutionNotifications: notes.map(text => ({ level: 'note', message: { text } })),
      },
    ],
    results: [...findings.map(toResult), ...silenced.map(toSilenced)],
  };
  return printJson({ $schema: SCHEMA, version: '2.1.0', runs: [run] });
}

const toRule = ({ id, severity, title, docs }: CheckRule) => ({
  id,
  shortDescription: { text: title },
  defaultConfiguration: { level: severity },
  help: { text: `See ${docs}` },
  // A page without a released repository is no URI.
  ...(docs.startsWith('https:') ? { helpUri: docs } : {}),
});

/** The codes of configuration errors, which no row of the table has. */
const otherRules = (rules: readonly CheckRule[], findings: readonly CheckFinding[]): readonly CheckRule[] =>
  findings
    .filter(({ id }) => !rules.some(rule => rule.id === id))
    .map(({ id, severity, docs }) => ({
      id,
      severity,
      docs,
      title: 'The configuration stops the start-up.',
    }));

/** A relative reference, as from the root of the repository. */
const toUri = (path: string): string => encodeURI(path.replaceAll('\\', '/'));
