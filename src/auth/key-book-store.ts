/* The key book in memory: the base class of the stores for files, the environment and Redis. Look-ups are synchronous. */
import { logLine, logText } from '../common/log-text.js';
import type { AgentRecord, ApiKeyRecord, ApiKeyStore, KeyStoreHooks } from '../identity/api-key-store.js';
import { type KeyBook, readTime } from './key-book.js';

/**
 * How long the last good keys stay valid while their source cannot be read. A process that has lost its file or its Redis must not accept
 * keys that were revoked long ago.
 */
export const MAX_STALE_MS = 60_000;

/**
 * A store whose keys do not change while the app runs: from the environment, or from a secrets manager through `useFactory`.
 * @example
 * const store = new KeyBookStore(parseKeyBook(await secrets.get('api-keys')));
 */
export class KeyBookStore implements ApiKeyStore {
  #index: ReturnType<typeof indexKeyBook>;
  #hooks: KeyStoreHooks | undefined;
  /** When the book was last read, or found unchanged. */
  #freshMs = -Infinity;
  #isStaleReported = false;

  constructor(
    book: KeyBook,
    /** How long the last reading of the book stays valid, for a store whose source can change. */
    private readonly freshness?: { readonly maxStaleMs: number; readonly nowMs: () => number },
  ) {
    this.#index = indexKeyBook(book);
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

  /** Pending readings no longer call the hooks. */
  close(): void | Promise<void> {
    this.#hooks = undefined;
  }

  protected warn(message: string): void {
    this.#hooks?.warn(logText(message));
  }

  /** Replaces the book; the next request uses the new one. */
  protected replace(book: KeyBook): void {
    const before = this.#index;
    this.#index = indexKeyBook(book);
    for (const key of before.keys.values()) {
      if (isUsable(key) && !isUsable(this.#index.keys.get(key.id)))
        this.#hooks?.revoked(key.id, key.agent.id);
    }
  }

  /** Call it when the book was read, or found unchanged. */
  protected markFresh(): void {
    if (this.freshness === undefined) return;
    this.#freshMs = this.freshness.nowMs();
    if (this.#isStaleReported) this.warn('The API keys can be read again.');
    this.#isStaleReported = false;
  }

  /** Warns once when the last reading is too old. */
  protected warnIfStale(): void {
    if (this.#isStaleReported || !this.#isStale()) return;
    this.#isStaleReported = true;
    this.warn(
      logLine`The API keys have not been read for ${this.freshness!.maxStaleMs / 1_000} s: every request with a key gets 503 until they can be read.`,
    );
  }

  #isStale(): boolean {
    const { freshness } = this;
    return freshness !== undefined && freshness.nowMs() - this.#freshMs > freshness.maxStaleMs;
  }

  #requireFresh(): void {
    if (this.#isStale()) throw new Error('The API keys have not been read for too long');
  }
}

const isUsable = (key: ApiKeyRecord | undefined): boolean =>
  key !== undefined && key.revoked !== true && key.agent.disabled !== true;

/** Indexes the records of a book by their IDs. */
export function indexKeyBook(book: KeyBook) {
  const agents = new Map<string, AgentRecord>();
  for (const [id, agent] of Object.entries(book.agents))
    agents.set(id, { ...agent, id, scopes: agent.scopes ?? [] });
  const keys = new Map<string, ApiKeyRecord>();
  for (const { id, digest, agent, scopes, notBefore, expires, revoked } of book.keys) {
    keys.set(id, {
      id,
      digest,
      agent: agents.get(agent)!,
      scopes,
      notBeforeMs: notBefore === undefined ? undefined : readTime(notBefore),
      expiresMs: expires === undefined ? undefined : readTime(expires),
      revoked: revoked !== undefined,
    });
  }
  return { keys, agents };
}
