/* API keys in Redis, which several processes share. Each process keeps them in memory, so verifying never waits, and costs the same for an
 * unknown ID as for a known one. A change is published, and each process checks every two seconds whether it has missed one. */
import { randomUUID } from 'node:crypto';
import { EMPTY_BOOK, type KeyBook, KeyBookError, parseKeyBook, setAgentDisabled } from '../auth/key-book.js';
import { MAX_STALE_MS, RefreshingKeyStore } from '../auth/key-book-store.js';
import { within } from '../common/within.js';
import { logLine } from '../common/log-text.js';
import { asGiven, fn, integer, type OptionTable, readTable, text } from '../common/option-table.js';
import type { KeyStoreHooks } from '../identity/api-key-store.js';
import { type OpenedClient, openClient, RedisUnusableError } from './open-client.js';
import type { RedisClient } from './redis-client.js';
import { readClient, type ScriptRunner } from './read-client.js';

/**
 * The options of `RedisKeyStore`. Durations are milliseconds.
 * @example
 * const options: RedisKeyStoreOptions = { client: new Redis(url), refreshMs: 5_000, maxStaleMs: 120_000 };
 */
export interface RedisKeyStoreOptions {
  client: RedisClient;
  /** The Redis key that holds all API keys. @default 'agent-security:keys' */
  key?: string;
  /** How often each process asks Redis for changes, in case that a message about one was lost. @default 2000 */
  refreshMs?: number;
  /** How long keys stay valid while Redis does not answer. Then requests with a key get 503. @default 60000 */
  maxStaleMs?: number;
  /** A monotonic clock, for tests. @default performance.now */
  nowMs?: () => number;
}

const COMMAND_MS = 1_000;

/** Reads the version, and the book if the version has changed. */
const READ = `
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version == ARGV[1] then return { version } end
return { version, redis.call('HGET', KEYS[1], 'book') }`;

/**
 * Replaces the book, unless it has changed since it was read, and tells all processes. An account that may not publish can still write:
 * then they find the change by polling.
 */
const WRITE = `
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'book', ARGV[2])
redis.pcall('PUBLISH', ARGV[4], ARGV[3])
return 1`;

const TABLE = {
  client: readClient,
  key: text('agent-security:keys'),
  refreshMs: integer(2_000, 100, 60_000),
  maxStaleMs: asGiven,
  nowMs: fn<() => number>(),
} satisfies OptionTable<RedisKeyStoreOptions>;

const NO_VERSION = '';

/**
 * Keeps API keys in Redis or Valkey, for several processes. `npx nestjs-agent-security keys` changes them there.
 * @throws AgentSecurityConfigError for a wrong option
 * @example
 * const store = new RedisKeyStore({ client: new Redis(url), key: 'shop:keys' });
 * AgentSecurityModule.forRoot({ auth: { apiKeys: { store, secret } } });
 */
export class RedisKeyStore extends RefreshingKeyStore {
  readonly #runner: ScriptRunner;
  readonly #key: string;
  readonly #maxStaleMs: number;
  #version = NO_VERSION;
  #unsubscribe: (() => void) | undefined;

  constructor(options: RedisKeyStoreOptions) {
    const read = readTable('RedisKeyStore', options, TABLE);
    const { client, key, refreshMs, nowMs } = read;
    const maxStaleMs = integer(
      MAX_STALE_MS,
      refreshMs,
      86_400_000,
    )('RedisKeyStore.maxStaleMs', read.maxStaleMs);
    super({ refreshMs, maxStaleMs, nowMs });
    this.#runner = client;
    this.#key = key;
    this.#maxStaleMs = maxStaleMs;
  }

  override async open(hooks: KeyStoreHooks): Promise<void> {
    await super.open(hooks);
    this.#unsubscribe = this.#runner.subscribe?.(this.#channel, () => void this.refresh());
  }

  override close(): void {
    void super.close();
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  /** Not a key: a client's `keyPrefix` does not apply to it. */
  get #channel(): string {
    return `${this.#key}:changed`;
  }

  /** Reads the book from Redis, for the command `keys`. */
  async read(): Promise<{ readonly book: KeyBook; readonly version: string }> {
    const [version, book] = await this.#fetch(NO_VERSION);
    return { version, book };
  }

  /** @throws KeyBookError if the keys have changed since they were read */
  async write(book: KeyBook, version: string): Promise<void> {
    // Random, not a counter: a Redis that was restored to an older state would reach the same number again.
    const next = randomUUID();
    if (Number(await this.#eval(WRITE, version, JSON.stringify(book), next, this.#channel)) !== 1)
      throw new KeyBookError('were changed by another command meanwhile: run it again');
  }

  /** @throws KeyBookError for an agent that is not in the book, and for keys that another command changes at the same time */
  async disableAgent(id: string): Promise<void> {
    const { book, version } = await this.read();
    await this.write(setAgentDisabled(book, id, true), version);
    await this.refresh();
  }

  protected override async load(): Promise<void> {
    const [version, book] = await this.#fetch(this.#version);
    if (version === this.#version) return;
    this.replace(book);
    this.#version = version;
  }

  protected override describeFailure(error: unknown): string {
    let reason = 'Redis does not answer';
    if (error instanceof KeyBookError) reason = `the entry ${error.message}`;
    else if (error instanceof RedisUnusableError) reason = error.message;
    return logLine`The API keys in Redis cannot be followed: ${reason}. They count for ${this.#maxStaleMs} ms more.`;
  }

  async #fetch(known: string): Promise<[version: string, book: KeyBook]> {
    const [version, book] = (await this.#eval(READ, known)) as [unknown, unknown?];
    return [String(version), book === undefined || book === null ? EMPTY_BOOK : parseKeyBook(String(book))];
  }

  /** A client may queue commands while its server is down. */
  #eval(script: string, ...args: string[]): Promise<unknown> {
    return within(this.#runner.eval(script, [this.#key], args), COMMAND_MS, 'Redis does not answer');
  }
}

/**
 * A key store with a connection of its own, which opens and closes with the app. `createRedisKeyStore()` creates it.
 * @example
 * const store: ConnectedRedisKeyStore = await createRedisKeyStore(url);
 */
export class ConnectedRedisKeyStore extends RedisKeyStore {
  readonly #opened: OpenedClient;

  constructor(opened: OpenedClient, options: Omit<RedisKeyStoreOptions, 'client'>) {
    super({ ...options, client: opened.client });
    this.#opened = opened;
  }

  /** Connects, or keeps trying in the background. Never rejects. */
  connect(): Promise<void> {
    return this.#opened.connect();
  }

  override async open(hooks: KeyStoreHooks): Promise<void> {
    await this.connect();
    await super.open(hooks);
  }

  override close(): void {
    super.close();
    this.#opened.close();
  }
}

/**
 * Opens a key store for a URL, through ioredis or node-redis, whichever is installed.
 * @throws AgentSecurityConfigError for an invalid URL, or if neither client is installed
 * @example
 * auth: { apiKeys: { store: await createRedisKeyStore('rediss://user:password@redis.internal:6380') } }
 */
export async function createRedisKeyStore(
  url: string,
  options: Omit<RedisKeyStoreOptions, 'client'> = {},
): Promise<ConnectedRedisKeyStore> {
  return new ConnectedRedisKeyStore(await openClient('createRedisKeyStore(url)', url), options);
}
