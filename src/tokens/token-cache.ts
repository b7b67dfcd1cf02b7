/* Caches verified tokens by their digests, so that a memory dump contains no valid token. */
import { hash } from 'node:crypto';
import { BoundedMap } from '../common/bounded-map.js';

interface Entry<T> {
  readonly value: T;
  readonly untilMs: number;
}

/** Holds the last `max` verified tokens, each until it expires. */
export class TokenCache<T> {
  readonly #entries: BoundedMap<string, Entry<T>>;

  constructor(max: number) {
    this.#entries = new BoundedMap(max);
  }

  get(digest: string, nowMs: number): T | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    if (nowMs < entry.untilMs) return entry.value;
    this.#entries.delete(digest);
    return undefined;
  }

  set(digest: string, value: T, untilMs: number): void {
    this.#entries.set(digest, { value, untilMs });
  }

  delete(digest: string): void {
    this.#entries.delete(digest);
  }

  get size(): number {
    return this.#entries.size;
  }
}

export function digestOf(token: string): string {
  return hash('sha256', token, 'base64url');
}

/* Remembers the IDs of DPoP proofs, so that none is accepted twice. */

/** About 20 MB at most, in two generations. Per process. */
const MAX_ENTRIES = 100_000;

/**
 * Two generations: an ID is remembered for at least `windowMs` and at most twice that. A full memory rejects new IDs, because forgetting
 * one would allow its replay.
 *
 * A holder may have as many entries as there is room left: one alone uses at most half, the next half of the rest. Filling 100,000 entries
 * takes 17 holders, and lasts until the generation ends.
 */
export class ReplayMemory {
  #young = new Set<string>();
  #old = new Set<string>();
  /** The number of young entries of each holder. */
  readonly #held = new Map<string, number>();
  #turnedMs = -Infinity;

  constructor(
    private readonly windowMs: number,
    private readonly max = MAX_ENTRIES,
  ) {}

  /** Adds an ID. @returns false if it is known, or if its holder has no room left */
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
