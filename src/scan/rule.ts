/* One row of the table of rules, and the sections that are graded. */
import type { Faults } from '../check/check.js';
import type { CheckSeverity } from '../check/finding.js';
import type { ScanFacts } from './facts.js';

export type Section =
  | 'headers'
  | 'hosts'
  | 'origins'
  | 'requests'
  | 'responses'
  | 'tls'
  | 'credentials'
  | 'limits'
  | 'mcp'
  | 'metadata';

/** A pure function of what the scan has seen. Its comment, `@see docs/…`, is the page about the option of this package that prevents it. */
export interface ScanRule {
  readonly id: `ASEC-S${number}`;
  readonly severity: CheckSeverity;
  readonly section: Section;
  /** What it finds, as a sentence of the reference. */
  readonly title: string;
  readonly why: string;
  readonly remedy: string;
  readonly find: (facts: ScanFacts) => Faults;
}
