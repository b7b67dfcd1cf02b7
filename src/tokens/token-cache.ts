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
