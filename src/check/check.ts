/* One row of the table of checks, and what its function reads. */
import type { RiskId } from '../common/risk.js';
import type { Tool } from '../tools/tool.js';
import type { AuditFacts, EnvironmentFacts } from './environment-facts.js';
import type { AppFacts } from './app-facts.js';
import type { CheckedOptions } from './checked-options.js';
import type { CheckSeverity, PackageVersion } from './finding.js';

/** Everything that a check may read. */
export interface Subject {
  readonly options: CheckedOptions;
  readonly app: AppFacts;
  readonly environment: EnvironmentFacts;
  readonly versions: readonly PackageVersion[];
  /** The answer of `npm audit`; `undefined` where it was not asked. */
  readonly audit: AuditFacts | undefined;
}

/** The comment of a row, `@see docs/…`, is the page with more about it, for the reference. */
interface CheckBase {
  readonly id: RiskId;
  readonly severity: CheckSeverity;
  /** What it finds, as a sentence of the reference. */
  readonly title: string;
  /** Whether it runs with `--deploy` only. */
  readonly deploy?: true;
}

/** A check of the start-up summary: the feature itself finds it, and says why it matters. */
export type SummaryCheck = CheckBase & { readonly find?: undefined };

/** A pure function of the subject. */
export interface SubjectCheck extends CheckBase {
  /** What follows from it: `browsers execute a script that an attacker injects`. */
  readonly why: string;
  /** A sentence: `List your origins.` */
  readonly remedy: string;
  /** The options concerned, each with what is wrong. None for a subject without a fault. */
  readonly find: (subject: Subject) => Faults;
}

export type Check = SummaryCheck | SubjectCheck;

/** Option and fault in turn: `['headers.contentSecurityPolicy', 'is false']`. */
export type Faults = readonly (readonly [option: string, fault: string])[];

/** The tools of handlers and of `tools.policies`. */
export const toolsOf = ({ options: { tools }, app }: Subject): readonly Tool[] =>
  tools === false ? app.tools : [...app.tools, ...tools.policies.values()];

export const NO_FAULTS: Faults = [];

/** One fault, where a condition holds. */
export const faultIf = (condition: boolean, option: string, fault: string): Faults =>
  condition ? [[option, fault]] : NO_FAULTS;
