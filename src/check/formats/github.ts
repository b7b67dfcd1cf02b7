/* A report as workflow commands of GitHub Actions, which become annotations. */
import type { CheckFinding, CheckSeverity, ShownReport } from '../finding.js';

const COMMANDS: Readonly<Record<CheckSeverity, string>> = {
  note: 'notice',
  warning: 'warning',
  error: 'error',
};

/** @param place the path of the app's module, to which annotations belong, or a URL */
export function formatGithub({ findings, notes }: ShownReport, place: string): string {
  const lines = [
    ...findings.map(finding => annotate(finding, place)),
    ...notes.map(note => `::notice::${escapeData(note)}`),
  ];
  return lines.map(line => `${line}\n`).join('');
}

const annotate = ({ id, severity, message, why, remedy, docs }: CheckFinding, place: string): string =>
  `::${COMMANDS[severity]} ${/^https?:/.test(place) ? '' : `file=${escapeProperty(place)},`}title=${escapeProperty(id)}::` +
  escapeData(`${message}: ${why}. ${remedy} See ${docs}`);

const escapeData = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const escapeProperty = (text: string): string =>
  escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
