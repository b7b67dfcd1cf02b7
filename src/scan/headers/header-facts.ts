/* What the rules for headers read, and what each of them says. */
import type { Answer } from '../answer.js';

export interface HeaderFacts {
  readonly isTls: boolean;
  readonly isVerified: boolean;
  /** Whether a proxy adds TLS, its redirect and HSTS. */
  readonly isBehindTls?: boolean;
  readonly hostname: string;
  readonly page: Answer;
  /** The other answers whose cookies count. */
  readonly others: readonly Answer[];
  /** Of a request with `origin`. */
  readonly preflight: Answer;
  readonly origin: string;
  /** Where plain HTTP leads: the URL of the redirect, `none` without a redirect, or `undefined` where nothing answers. */
  readonly plain: string | undefined;
}

/** The modifier of the score, and what is wrong. */
export type HeaderResult = readonly [modifier: number, fault?: string];
