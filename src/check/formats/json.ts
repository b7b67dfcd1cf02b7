/* A report for programs. */
import { escapeText } from '../../common/log-text.js';
import type { ShownReport } from '../finding.js';

export const formatJson = ({ findings, silenced, notes, versions, scan }: ShownReport): string =>
  printJson({ scan, findings, silenced, notes, versions });

/** JSON of several lines, which a terminal may show: control characters are escaped. */
export const printJson = (value: unknown): string =>
  `${JSON.stringify(value, null, 2).split('\n').map(escapeText).join('\n')}\n`;
