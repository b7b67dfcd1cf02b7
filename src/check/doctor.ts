/* What `doctor` prints of a report: versions, packages that do the same work, the configuration and each option with its source. */
import { logText } from '../common/log-text.js';
import type { CheckReport } from './finding.js';

/** The checks whose findings are problems of the installation. */
const INSTALLATION: ReadonlySet<string> = new Set([
  'ASEC-C040',
  'ASEC-C041',
  'ASEC-C042',
  'ASEC-C043',
  'ASEC-C044',
]);

export interface Diagnosis extends Pick<CheckReport, 'versions' | 'summary' | 'options'> {
  /** Packages that do the same work, versions that are not supported, and an error that stops the start-up. */
  readonly problems: readonly string[];
}

export function diagnose({ versions, summary, options, findings, installed }: CheckReport): Diagnosis {
  // The code of an error that stops the start-up has underscores.
  const found = findings.filter(({ id }) => INSTALLATION.has(id) || id.includes('_'));
  const idle = installed.filter(name => !found.some(({ option }) => option === name));
  return {
    versions,
    summary,
    options,
    problems: [
      ...found.map(({ message, why, remedy }) => `${message}: ${why}. ${remedy}`),
      ...idle.map(name => `${name} is installed, and not seen in the app. Remove it if nothing uses it.`),
    ],
  };
}

export function formatDiagnosis({ versions, summary, options, problems }: Diagnosis): string {
  const width = Math.max(0, ...options.map(({ option }) => option.length));
  return [
    ...section(
      'Versions',
      versions.map(
        ({ name, version, range, isSupported }) =>
          `${name} ${version}${range === undefined ? '' : ` (${isSupported ? 'supported' : 'NOT supported'}: ${range})`}`,
      ),
    ),
    ...section('Problems', problems.length === 0 ? ['none'] : problems),
    ...section('In force', summary),
    ...section(
      'Options',
      options.map(({ option, value, source }) => `${option.padEnd(width)}  ${value}  [${source}]`),
    ),
  ].join('\n');
}

const section = (title: string, lines: readonly string[]): readonly string[] => [
  `${title}:`,
  ...lines.map(line => `  ${logText(line)}`),
  '',
];
