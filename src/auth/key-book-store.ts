/* The key book in memory: the base classes of the stores for files, the environment and Redis. Look-ups are synchronous. */
import { logLine, logText } from '../common/log-text.js';
import type { AgentRecord, ApiKeyRecord, ApiKeyStore, KeyStoreHooks } from '../identity/api-key-store.js';
import { EMPTY_BOOK, type KeyBook, readTime } from './key-book.js';

/**
 * A store whose keys do not change while the app runs: from the environment, or from a secrets manager through `useFactory`.
 * @example
 * const store = new KeyBookStore(parseKeyBook(await secrets.get('api-keys')));
 */
export class KeyBookStore implements ApiKeyStore {
  #index: KeyIndex;
  #hooks: KeyStoreHooks | undefined;

  constructor(book: KeyBook) {
    this.#index = indexKeyBook(book);
  }

  find(id: string): ApiKeyRecord | undefined {
    return this.#index.keys.get(id);
  }

  findAgent(id: string): AgentRecord | undefined {
    return this.#index.agents.get(id);
  }

  agents(): Iterable<AgentRecord> {
    return this.#index.agents.values();
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
}

/**
 * How long the last good keys stay valid while their source cannot be read. A process that has lost its file or its Redis must not accept
 * keys that were revoked long ago.
 */
export const MAX_STALE_MS = 60_000;

interface RefreshSettings {
  readonly refreshMs: number;
  readonly maxStaleMs: number;
  readonly nowMs: (() => number) | undefined;
}

/** A store that reads its book from a source, again and again. */
export abstract class RefreshingKeyStore extends KeyBookStore {
  readonly #refreshMs: number;
  readonly #nowMs: () => number;
  readonly #maxStaleMs: number;
  #timer: NodeJS.Timeout | undefined;
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  /** When the source was last read. */
  #freshMs = -Infinity;
  #isStaleReported = false;
  readonly #reported = new Set<string>();

  constructor({ refreshMs, maxStaleMs, nowMs = () => performance.now() }: RefreshSettings) {
    super(EMPTY_BOOK);
    this.#refreshMs = refreshMs;
    this.#maxStaleMs = maxStaleMs;
    this.#nowMs = nowMs;
  }

  /** Reads the source. Calls `replace()` if it has changed. */
  protected abstract load(): Promise<void>;

  /** The warning for an error of `load()`. Each is logged once until the source can be read. */
  protected abstract describeFailure(error: unknown): string;

  override find(id: string): ApiKeyRecord | undefined {
    this.#requireFresh();
    return super.find(id);
  }

  override findAgent(id: string): AgentRecord | undefined {
    this.#requireFresh();
    return super.findAgent(id);
  }

  /** The app starts even if the source cannot be read: requests with a key get 503 until it can. */
  override async open(hooks: KeyStoreHooks): Promise<void> {
    await super.open(hooks);
    await this.refresh();
    this.#timer = setInterval(() => {
      // A source that hangs is not reported by the reading.
      this.#warnIfStale();
      void this.refresh();
    }, this.#refreshMs).unref();
  }

  override close(): void | Promise<void> {
    void super.close();
    clearInterval(this.#timer);
  }

  /** Reads the keys now. Never rejects: a failure is logged, and the last good keys stay valid until they are too old. */
  refresh(): Promise<void> {
    // At most one reading waits for the current one: a source that hangs must not build up a queue.
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      return this.#reload();
    });
    return (this.#current = this.#next);
  }

  async #reload(): Promise<void> {
    try {
      await this.load();
      this.#freshMs = this.#nowMs();
      if (this.#isStaleReported) this.warn('The API keys can be read again.');
      this.#isStaleReported = false;
      this.#reported.clear();
    } catch (error) {
      const failure = this.describeFailure(error);
      if (!this.#reported.has(failure)) this.warn(logText(failure));
      this.#reported.add(failure);
      this.#warnIfStale();
    }
  }

  #warnIfStale(): void {
    if (this.#isStaleReported || !this.#isStale()) return;
    this.#isStaleReported = true;
    this.warn(
      logLine`The API keys have not been read for ${this.#maxStaleMs / 1_000} s: every request with a key gets 503 until they can be read.`,
    );
  }

  #isStale(): boolean {
    return this.#nowMs() - this.#freshMs > this.#maxStaleMs;
  }

  #requireFresh(): void {
    if (this.#isStale()) throw new Error('The API keys have not been read for too long');
  }
}

const isUsable = (key: ApiKeyRecord | undefined): boolean =>
  key !== undefined && key.revoked !== true && key.agent.disabled !== true;

interface KeyIndex {
  readonly keys: ReadonlyMap<string, ApiKeyRecord>;
  readonly agents: ReadonlyMap<string, AgentRecord>;
}

/** Indexes the records of a book by their IDs. */
export function indexKeyBook(book: KeyBook): KeyIndex {
  const agents = new Map(
    Object.entries(book.agents).map(([id, agent]): [string, AgentRecord] => [
      id,
      { ...agent, id, scopes: agent.scopes ?? [] },
    ]),
  );
  const keys = new Map(
    book.keys.map((key): [string, ApiKeyRecord] => [
      key.id,
      {
        id: key.id,
        digest: key.digest,
        agent: agents.get(key.agent)!,
        scopes: key.scopes,
        notBeforeMs: key.notBefore === undefined ? undefined : readTime(key.notBefore),
        expiresMs: key.expires === undefined ? undefined : readTime(key.expires),
        revoked: key.revoked !== undefined,
      },
    ]),
  );
  return { keys, agents };
}
