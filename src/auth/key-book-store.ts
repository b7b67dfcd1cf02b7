/* Keys of a book that is held in memory: the base of the stores for files, the environment and Redis. Looking up costs the same for a
 * known and an unknown ID, and never waits. */
import type { AgentRecord, ApiKeyRecord, ApiKeyStore, KeyStoreHooks } from './api-key-store.js';
import { indexKeyBook, type KeyBook, type KeyIndex } from './key-book.js';
import { logText } from '../common/log-text.js';

/** Keys that do not change while the app runs: from the environment, or from a secrets manager through `useFactory`. */
export class KeyBookStore implements ApiKeyStore {
  #index: KeyIndex;
  #hooks: KeyStoreHooks | undefined;

  constructor(book: KeyBook) {
    this.#index = indexKeyBook(book);
  }

  find(id: string): ApiKeyRecord | undefined {
    return this.#index.keys.get(id);
  }

  candidates(id: string): readonly ApiKeyRecord[] {
    return this.#index.table.candidates(id);
  }

  findAgent(id: string): AgentRecord | undefined {
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
}

const isUsable = (key: ApiKeyRecord | undefined): boolean =>
  key !== undefined && key.revoked !== true && key.agent.disabled !== true;
