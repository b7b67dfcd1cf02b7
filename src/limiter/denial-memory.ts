/* Clients that were just refused: until anything about them changes they are refused from here, without asking again. */
import type { PolicyState, QuotaDecision } from './consume.js';

interface Denial {
  readonly decision: QuotaDecision;
  readonly keys: readonly string[];
  readonly fromMs: number;
  readonly untilMs: number;
}

export class DenialMemory {
  readonly #denials = new Map<string, Denial>();
  /** The questions that concern a key. */
  readonly #questions = new Map<string, Set<string>>();

  constructor(private maxDenials: number) {}

  get size(): number {
    return this.#denials.size;
  }

  /**
   * Keeps a refusal under what was asked.
   * @param askedMs when the question was asked, or before: counting from here ends early rather than late
   */
  remember(question: string, keys: readonly string[], decision: QuotaDecision, requestedMs: number): void {
    if (decision.granted || this.maxDenials === 0) return;
    const untilMs = requestedMs + untilChangeMs(decision.policyStates);
    if (untilMs <= requestedMs) return;
    this.#delete(question);
    if (this.#denials.size >= this.maxDenials) this.#delete(this.#denials.keys().next().value!);
    this.#denials.set(question, { decision, keys, fromMs: requestedMs, untilMs });
    for (const key of keys) {
      const questions = this.#questions.get(key);
      if (questions === undefined) this.#questions.set(key, new Set([question]));
      else questions.add(question);
    }
  }

  /** Keeps nothing from now on. */
  disable(): void {
    this.maxDenials = 0;
    this.#denials.clear();
  }

  find(question: string, nowMs: number): QuotaDecision | undefined {
    const denial = this.#denials.get(question);
    if (denial === undefined) return undefined;
    if (nowMs >= denial.untilMs) {
      this.#delete(question);
      return undefined;
    }
    const passedMs = nowMs - denial.fromMs;
    return {
      granted: false,
      policyStates: denial.decision.policyStates.map(policyState => ({
        ...policyState,
        resetMs: Math.max(0, policyState.resetMs - passedMs),
      })),
    };
  }

  /** What is kept of a key holds no longer: something was given back. */
  forget(key: string): void {
    for (const question of this.#questions.get(key) ?? []) this.#delete(question);
  }

  #delete(question: string): void {
    const denial = this.#denials.get(question);
    if (denial === undefined) return;
    this.#denials.delete(question);
    for (const key of denial.keys) {
      const questions = this.#questions.get(key);
      questions?.delete(question);
      if (questions?.size === 0) this.#questions.delete(key);
    }
  }
}

/**
 * How long the standings of a refusal hold: until the first policy gives something back. Of a policy that could have granted, or that
 * the cost was too large for, a smaller request might be granted, and a slot comes free when somebody's work ends: that is not kept.
 */
function untilChangeMs(policyStates: readonly PolicyState[]): number {
  let firstMs = Infinity;
  for (const { policy, violated, remaining, resetMs } of policyStates) {
    if (violated && (remaining > 0 || resetMs === Infinity || policy.rule === 'concurrency')) return 0;
    if (resetMs > 0) firstMs = Math.min(firstMs, resetMs);
  }
  // Redis reads its clock in whole milliseconds, and a guard asks for the time behind its decision.
  return firstMs === Infinity ? 0 : firstMs - 1;
}
