/* A risky setting: what the start-up summary warns of, and what `check` reports. */

/** The stable name of a check. A number is never used again. */
export type RiskId = `ASEC-C${number}`;

/** One risk, as it was found. Read in this order, the members make a sentence and its remedy. No member holds a secret. */
export interface Risk {
  readonly id: RiskId;
  /** The option, the variable or the part of the app: `cors.origins`. */
  readonly option: string;
  /** What is wrong with it: `is "*"`. */
  readonly fault: string;
  /** What follows: `pages of every site can read responses`. */
  readonly why: string;
  /** A sentence: `List your origins.` */
  readonly remedy: string;
}

export function risk(id: RiskId, option: string, fault: string, why: string, remedy: string): Risk {
  return { id, option, fault, why, remedy };
}

/** Without the remedy. */
export const describeRisk = ({ option, fault, why }: Risk): string => `${option} ${fault}: ${why}.`;
