/* What was seen already, for as long as it could be shown again. */

/** About 20 MB at most, in two generations. Per process. */
const MAX_ENTRIES = 100_000;

/**
 * Two generations: what was added in the last `windowMs` is always known, and nothing is kept longer than twice that. What is full
 * rejects new entries: to forget one would let it be shown again.
 *
 * A holder may have as many entries as there is room left: one alone takes at most half, the next half of the rest. To fill 100,000
 * entries takes 17 holders that act together, and lasts until the generation ends.
 */
export class ReplayMemory {
  #young = new Set<string>();
  #old = new Set<string>();
  /** How many of the young entries each holder has. */
  readonly #held = new Map<string, number>();
  #turnedMs = -Infinity;

  constructor(
    private readonly windowMs: number,
    private readonly max = MAX_ENTRIES,
  ) {}

  /** Whether it is new, and its holder has room for it; it is known from then on. */
  add(holder: string, id: string, nowMs: number): boolean {
    const sinceTurnMs = nowMs - this.#turnedMs;
    if (sinceTurnMs >= this.windowMs) {
      this.#old = sinceTurnMs >= 2 * this.windowMs ? new Set() : this.#young;
      this.#young = new Set();
      this.#held.clear();
      this.#turnedMs = nowMs;
    }
    const held = this.#held.get(holder) ?? 0;
    if (this.#young.has(id) || this.#old.has(id) || held >= this.max - this.#young.size) return false;
    this.#young.add(id);
    this.#held.set(holder, held + 1);
    return true;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
