/* A report for programs. */
import type { ShownReport } from '../finding.js';

export const formatJson = ({ findings, silenced, notes, versions, scan }: ShownReport): string =>
  `${JSON.stringify({ scan, findings, silenced, notes, versions }, null, 2)}\n`;
