/* What a scan has seen: the rules read it, and nothing else. */
import { type Answer, noAnswer } from './answer.js';
import type { HeaderScore } from './headers/score-headers.js';
import type { Cookie } from './headers/cookies.js';
import type { ProbeName } from './probes.js';
import type { Target } from './target.js';

/** How the server limits: the last requests of a scan. */
export interface LimitFacts {
  /** How many requests were sent to reach the limit; 0 where it is not known whether there is one. */
  readonly sent: number;
  /** The first 429. */
  readonly limited: Answer | undefined;
  /** Behind the 429: with headers of a forged address, and with a random API key or token. */
  readonly forged: Answer | undefined;
  readonly randomKey: Answer | undefined;
  /** After the time of Retry-After. */
  readonly retried: Answer | undefined;
}

export interface ScanFacts {
  readonly target: Target;
  readonly isVerified: boolean;
  readonly answers: ReadonlyMap<ProbeName, Answer>;
  readonly headers: HeaderScore;
  readonly cookies: readonly Cookie[];
  readonly limits: LimitFacts;
  readonly nowMs: number;
}

export const answerTo = ({ answers }: ScanFacts, name: ProbeName): Answer =>
  answers.get(name) ?? noAnswer('not sent');

const REJECTED = new Set([0, 400, 403, 421, 429, 431]);

/** Whether an attack got what an ordinary request for the page gets. */
export function isServed(facts: ScanFacts, name: ProbeName): boolean {
  const { status } = answerTo(facts, name);
  return !REJECTED.has(status) && status === answerTo(facts, 'page').status;
}

/** Whether it got the page. A 401 or a 404 that everything gets says nothing about what the server makes of a path or a credential. */
export const isGranted = (facts: ScanFacts, name: ProbeName): boolean =>
  isServed(facts, name) && answerTo(facts, name).status < 400;
