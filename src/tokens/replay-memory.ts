/* What was seen already, for as long as it could be shown again. */

/**
 * Two generations: what was added in the last `windowMs` is always known, and nothing is kept longer than twice that. When a
 * generation is full, new entries are refused: to forget one would let it be shown again.
 */
export class ReplayMemory {
  #young = new Set<string>();
  #old = new Set<string>();
  #turnedMs = -Infinity;

  constructor(
    private readonly windowMs: number,
    private readonly max: number,
  ) {}

  /** Whether it is new; it is known from then on. */
  add(id: string, nowMs: number): boolean {
    const sinceTurnMs = nowMs - this.#turnedMs;
    if (sinceTurnMs >= this.windowMs) {
      this.#old = sinceTurnMs >= 2 * this.windowMs ? new Set() : this.#young;
      this.#young = new Set();
      this.#turnedMs = nowMs;
    }
    if (this.#young.has(id) || this.#old.has(id) || this.#young.size >= this.max) return false;
    this.#young.add(id);
    return true;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
