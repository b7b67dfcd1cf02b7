/* A report as workflow commands of GitHub Actions, which become annotations. */
import type { CheckFinding, CheckReport, CheckSeverity } from '../finding.js';

const COMMANDS: Readonly<Record<CheckSeverity, string>> = {
  note: 'notice',
  warning: 'warning',
  error: 'error',
};

/** @param module the path of the app's module, to which annotations belong */
export function formatGithub({ findings, notes }: CheckReport, module: string): string {
  const lines = [
    ...findings.map(finding => annotate(finding, module)),
    ...notes.map(note => `::notice::${escapeData(note)}`),
  ];
  return lines.map(line => `${line}\n`).join('');
}

const annotate = ({ id, severity, message, why, remedy, docs }: CheckFinding, module: string): string =>
  `::${COMMANDS[severity]} file=${escapeProperty(module)},title=${escapeProperty(id)}::` +
  escapeData(`${message}: ${why}. ${remedy} See ${docs}`);

const escapeData = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const escapeProperty = (text: string): string =>
  escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
