/* Clients that were just refused: until anything about them changes they are refused from here, without asking again. */
import type { Standing, Verdict } from './judge.js';

interface Refusal {
  readonly verdict: Verdict;
  readonly fromMs: number;
  readonly untilMs: number;
}

export class RefusalMemory {
  readonly #refusals = new Map<string, Refusal>();

  constructor(private maxRefusals: number) {}

  get size(): number {
    return this.#refusals.size;
  }

  /**
   * Keeps a refusal under what was asked.
   * @param askedMs when the question was asked, or before: counting from here ends early rather than late
   */
  remember(question: string, verdict: Verdict, askedMs: number): void {
    if (verdict.granted || this.maxRefusals === 0) return;
    const untilMs = askedMs + untilChangeMs(verdict.standings);
    if (untilMs <= askedMs) return;
    this.#refusals.delete(question);
    if (this.#refusals.size >= this.maxRefusals) this.#refusals.delete(this.#refusals.keys().next().value!);
    this.#refusals.set(question, { verdict, fromMs: askedMs, untilMs });
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
      this.#refusals.delete(question);
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
}

/**
 * How long the standings of a refusal hold: until the first policy gives something back. Of a policy that could have granted, or that
 * the cost was too large for, a smaller request might be granted: that is not kept.
 */
function untilChangeMs(standings: readonly Standing[]): number {
  let firstMs = Infinity;
  for (const { violated, remaining, resetMs } of standings) {
    if (violated && (remaining > 0 || resetMs === Infinity)) return 0;
    if (resetMs > 0) firstMs = Math.min(firstMs, resetMs);
  }
  // Redis reads its clock in whole milliseconds, and a guard asks for the time behind its decision.
  return firstMs === Infinity ? 0 : firstMs - 1;
}
