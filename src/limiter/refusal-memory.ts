/* Clients that were just refused: until anything about them changes they are refused from here, without asking again. */
import type { Standing, Verdict } from './judge.js';

interface Refusal {
  readonly verdict: Verdict;
  readonly keys: readonly string[];
  readonly fromMs: number;
  readonly untilMs: number;
}

export class RefusalMemory {
  readonly #refusals = new Map<string, Refusal>();
  /** The questions that concern a key. */
  readonly #questions = new Map<string, Set<string>>();

  constructor(private maxRefusals: number) {}

  get size(): number {
    return this.#refusals.size;
  }

  /**
   * Keeps a refusal under what was asked.
   * @param askedMs when the question was asked, or before: counting from here ends early rather than late
   */
  remember(question: string, keys: readonly string[], verdict: Verdict, askedMs: number): void {
    if (verdict.granted || this.maxRefusals === 0) return;
    const untilMs = askedMs + untilChangeMs(verdict.standings);
    if (untilMs <= askedMs) return;
    this.#delete(question);
    if (this.#refusals.size >= this.maxRefusals) this.#delete(this.#refusals.keys().next().value!);
    this.#refusals.set(question, { verdict, keys, fromMs: askedMs, untilMs });
    for (const key of keys) {
      const questions = this.#questions.get(key);
      if (questions === undefined) this.#questions.set(key, new Set([question]));
      else questions.add(question);
    }
  }

  /** Keeps nothing from now on. */
  disable(): void {
    this.maxRefusals = 0;
    this.#refusals.clear();
  }

  find(question: string, nowMs: number): Verdict | undefined {
    const refusal = this.#refusals.get(question);
    if (refusal === undefined) return undefined;
    if (nowMs >= refusal.untilMs) {
      this.#delete(question);
      return undefined;
    }
    const passedMs = nowMs - refusal.fromMs;
    return {
      granted: false,
      standings: refusal.verdict.standings.map(standing => ({
        ...standing,
        resetMs: Math.max(0, standing.resetMs - passedMs),
      })),
    };
  }

  /** What is kept of a key holds no longer: something was given back. */
  forget(key: string): void {
    for (const question of this.#questions.get(key) ?? []) this.#delete(question);
  }

  #delete(question: string): void {
    const refusal = this.#refusals.get(question);
    if (refusal === undefined) return;
    this.#refusals.delete(question);
    for (const key of refusal.keys) {
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
function untilChangeMs(standings: readonly Standing[]): number {
  let firstMs = Infinity;
  for (const { policy, violated, remaining, resetMs } of standings) {
    if (violated && (remaining > 0 || resetMs === Infinity || policy.rule === 'concurrency')) return 0;
    if (resetMs > 0) firstMs = Math.min(firstMs, resetMs);
  }
  // Redis reads its clock in whole milliseconds, and a guard asks for the time behind its decision.
  return firstMs === Infinity ? 0 : firstMs - 1;
}
