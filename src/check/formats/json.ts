/* A report for programs. */
import type { CheckReport } from '../finding.js';

export const formatJson = ({ findings, silenced, notes, versions }: CheckReport): string =>
  `${JSON.stringify({ findings, silenced, notes, versions }, null, 2)}\n`;
