/* What `check` reports. */

export const SEVERITIES = ['note', 'warning', 'error'] as const;

/**
 * How grave a finding is: `error` is open to an attack as it stands, `warning` weakens protection, `note` is worth a look.
 * @example
 * const gravest: CheckSeverity = 'error';
 */
export type CheckSeverity = (typeof SEVERITIES)[number];

/**
 * One finding of `AgentSecurityModule.check()`.
 * @example
 * const describe = ({ id, message, remedy }: CheckFinding) => `${id}: ${message}. ${remedy}`;
 */
export interface CheckFinding {
  /** `ASEC-C001`, or the code of a configuration error. Stable: a finding is silenced by it. */
  readonly id: string;
  readonly severity: CheckSeverity;
  /** The option, the environment variable or the part of the app. */
  readonly option: string;
  /** What was found: `cors.origins is "*"`. */
  readonly message: string;
  /** What follows from it. */
  readonly why: string;
  readonly remedy: string;
  /** Where it is documented: a URL, or a page of the repository. */
  readonly docs: string;
}

/** A finding that `check.silence` names. */
export interface SilencedFinding extends CheckFinding {
  readonly reason: string;
}

/** One check that ran, for formats that list those that passed. */
export interface CheckRule {
  readonly id: string;
  readonly severity: CheckSeverity;
  readonly title: string;
  readonly docs: string;
}

/** One option, as it is in force. */
export interface OptionRow {
  readonly option: string;
  /** As it may be shown: never a secret. */
  readonly value: string;
  /** `option`, `default`, or the name of an environment variable. */
  readonly source: string;
}

export interface PackageVersion {
  readonly name: string;
  readonly version: string;
  /** The supported range; `undefined` where the package names none. */
  readonly range: string | undefined;
  readonly isSupported: boolean;
}

/**
 * The result of `AgentSecurityModule.check()`.
 * @example
 * const report: CheckReport = await AgentSecurityModule.check(app, { deploy: true });
 */
export interface CheckReport {
  /** The gravest first. */
  readonly findings: readonly CheckFinding[];
  /** What `check.silence` names, with its reasons. */
  readonly silenced: readonly SilencedFinding[];
  /** Every check that ran. */
  readonly rules: readonly CheckRule[];
  /** What could not be checked, and why. */
  readonly notes: readonly string[];
  /** Every option with its value and the place that it comes from. */
  readonly options: readonly OptionRow[];
  /** The configuration in a few lines, as the start-up summary shows it. */
  readonly summary: readonly string[];
  readonly versions: readonly PackageVersion[];
  /** Packages for the same work as the module's, as far as the app's package.json names them. */
  readonly installed: readonly string[];
}
