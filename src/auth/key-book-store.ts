/* The key book in memory: the base class of the stores for files, the environment and Redis. Look-ups are synchronous. */
import { logLine, logText } from '../common/log-text.js';
import type { AgentRecord, ApiKeyRecord, ApiKeyStore, KeyStoreHooks } from '../identity/api-key-store.js';
import { indexKeyBook, type KeyBook, type KeyIndex } from './key-book.js';

/**
 * How long keys count that cannot be read again where they are kept. A process that has lost its file or its Redis must not go on serving
 * keys that were revoked long ago.
 */
export const MAX_STALE_MS = 60_000;

/** For a store whose book changes elsewhere: how long the last reading counts. */
export interface Freshness {
  readonly maxStaleMs: number;
  readonly nowMs: () => number;
}

/** Keys that do not change while the app runs: from the environment, or from a secrets manager through `useFactory`. */
export class KeyBookStore implements ApiKeyStore {
  readonly #freshness: Freshness | undefined;
  #index: KeyIndex;
  #hooks: KeyStoreHooks | undefined;
  /** When the book was last known to be the one that is kept. */
  #freshMs = -Infinity;
  #toldStale = false;

  constructor(book: KeyBook, freshness?: Freshness) {
    this.#index = indexKeyBook(book);
    this.#freshness = freshness;
  }

  find(id: string): ApiKeyRecord | undefined {
    this.#requireFresh();
    return this.#index.keys.get(id);
  }

  findAgent(id: string): AgentRecord | undefined {
    this.#requireFresh();
    return this.#index.agents.get(id);
  }

  open(hooks: KeyStoreHooks): void | Promise<void> {
    this.#hooks = hooks;
  }

  /** What is still under way tells nobody from here on. */
  close(): void | Promise<void> {
    this.#hooks = undefined;
  }

  protected warn(message: string): void {
    this.#hooks?.warn(logText(message));
  }

  /** Takes another book in, from the next request on. */
  protected replace(book: KeyBook): void {
    const before = this.#index;
    this.#index = indexKeyBook(book);
    for (const key of before.keys.values()) {
      if (isUsable(key) && !isUsable(this.#index.keys.get(key.id)))
        this.#hooks?.revoked(key.id, key.agent.id);
    }
  }

  /** The book was just read, or found unchanged. */
  protected markFresh(): void {
    if (this.#freshness === undefined) return;
    this.#freshMs = this.#freshness.nowMs();
    if (this.#toldStale) this.warn('The API keys can be read again, and count.');
    this.#toldStale = false;
  }

  /** Says once that no key counts any more. */
  protected warnIfStale(): void {
    if (this.#toldStale || !this.#isStale()) return;
    this.#toldStale = true;
    this.warn(
      logLine`The API keys have not been read for ${this.#freshness!.maxStaleMs / 1_000} s: every request with a key gets 503 until they can be read again.`,
    );
  }

  #isStale(): boolean {
    const freshness = this.#freshness;
    return freshness !== undefined && freshness.nowMs() - this.#freshMs > freshness.maxStaleMs;
  }

  #requireFresh(): void {
    if (this.#isStale()) throw new Error('The API keys have not been read for too long');
  }
}

const isUsable = (key: ApiKeyRecord | undefined): boolean =>
  key !== undefined && key.revoked !== true && key.agent.disabled !== true;
