/* API keys for tests, created as an operator creates them. */
import {
  addKey,
  EMPTY_BOOK,
  type KeyBook,
  type KeyBookAgent,
  KeyBookStore,
  KeyDigests,
  type NewKey,
} from '../../src/index.js';

export const SECRET = 'a secret of tests that is long enough';
export const digests = new KeyDigests([SECRET]);
/** The start of `ManualClock`. */
export const NOW_MS = Date.UTC(2030, 0, 1);

/** A key book that tests change, and a store that uses it at once. */
export class TestKeys {
  book: KeyBook = EMPTY_BOOK;
  readonly store = new LiveStore(EMPTY_BOOK);

  /** A key for an agent. @returns the whole key, and its ID */
  add(
    agentId: string,
    agent: KeyBookAgent = {},
    options: Partial<NewKey> = {},
  ): { readonly key: string; readonly id: string } {
    const { book, key, id } = addKey(this.book, agentId, agent, digests, {
      prefix: 'ask',
      nowMs: NOW_MS,
      ...options,
    });
    this.set(book);
    return { key, id };
  }

  set(book: KeyBook): void {
    this.book = book;
    this.store.set(book);
  }
}

class LiveStore extends KeyBookStore {
  set(book: KeyBook): void {
    this.replace(book);
  }
}

/** Creates a key with another secret and a valid checksum. */
export { createApiKey } from '../../src/auth/api-key.js';
