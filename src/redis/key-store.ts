/* API keys in Redis, which several processes share. Each process keeps them in memory and checks every two seconds whether they have
 * changed, so verifying never waits, and costs the same for an unknown ID as for a known one. */
import { randomUUID } from 'node:crypto';
import type { KeyStoreHooks } from '../identity/api-key-store.js';
import { EMPTY_BOOK, type KeyBook, KeyBookError, parseKeyBook } from '../auth/key-book.js';
import { KeyBookStore, MAX_STALE_MS } from '../auth/key-book-store.js';
import { readInteger, readObject, readString } from '../common/read-options.js';
import { RedisUnusableError } from './connection-cause.js';
import { type OpenedClient, openClient } from './open-client.js';
import { readClient, type RedisClient, type ScriptRunner } from './redis-client.js';
import { checkRedisUrl } from '../common/redis-url.js';
import { within } from '../common/deadlines.js';
import { logLine } from '../common/log-text.js';

/**
 * The options of `RedisKeyStore`. Durations are milliseconds.
 * @example
 * const options: RedisKeyStoreOptions = { client: new Redis(url), refreshMs: 5_000, maxStaleMs: 120_000 };
 */
export interface RedisKeyStoreOptions {
  client: RedisClient;
  /** The Redis key that holds all API keys. @default 'agent-security:keys' */
  key?: string;
  /** How often changes are read from Redis: a revocation takes effect within this time. @default 2000 */
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

/** Replaces the book, unless it has changed since it was read. */
const WRITE = `
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'book', ARGV[2])
return 1`;

const NO_VERSION = '';
const NAME = 'RedisKeyStore';

/**
 * Keeps API keys in Redis or Valkey, for several processes. `npx nestjs-agent-security keys` changes them there.
 * @throws AgentSecurityConfigError for a wrong option
 * @example
 * const store = new RedisKeyStore({ client: new Redis(url), key: 'shop:keys' });
 * AgentSecurityModule.forRoot({ auth: { apiKeys: { store, secret } } });
 */
export class RedisKeyStore extends KeyBookStore {
  readonly #run: ScriptRunner;
  readonly #key: string;
  readonly #refreshMs: number;
  readonly #maxStaleMs: number;
  #version = NO_VERSION;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #failing = false;

  constructor(options: RedisKeyStoreOptions) {
    readObject(NAME, options, ['client', 'key', 'refreshMs', 'maxStaleMs', 'nowMs']);
    const refreshMs = readInteger(`${NAME}.refreshMs`, options.refreshMs, 2_000, { min: 100, max: 60_000 });
    const maxStaleMs = readInteger(`${NAME}.maxStaleMs`, options.maxStaleMs, MAX_STALE_MS, {
      min: refreshMs,
      max: 86_400_000,
    });
    super(EMPTY_BOOK, { maxStaleMs, nowMs: options.nowMs ?? (() => performance.now()) });
    this.#run = readClient(`${NAME}.client`, options.client);
    this.#key = readString(`${NAME}.key`, options.key, 'agent-security:keys');
    this.#refreshMs = refreshMs;
    this.#maxStaleMs = maxStaleMs;
  }

  /** The app starts even if Redis is down: requests with a key get 503 until Redis answers. */
  override async open(hooks: KeyStoreHooks): Promise<void> {
    await super.open(hooks);
    await this.refresh();
    this.#timer = setInterval(() => void this.refresh(), this.#refreshMs).unref();
  }

  override close(): void | Promise<void> {
    void super.close();
    clearInterval(this.#timer);
  }

  /** Reads the keys now. Never rejects: a failure is logged once, and the keys stay as they were. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#load().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Reads the book from Redis, for the command `keys`. */
  async read(): Promise<{ readonly book: KeyBook; readonly version: string }> {
    const [version, text] = await this.#fetch(NO_VERSION);
    return { version, book: text === undefined ? EMPTY_BOOK : parseKeyBook(text) };
  }

  /** @throws KeyBookError if the keys have changed since they were read */
  async write(book: KeyBook, version: string): Promise<void> {
    // Random, not a counter: a Redis that was restored to an older state would reach the same number again.
    const next = randomUUID();
    const written = await inTime(this.#run.eval(WRITE, [this.#key], [version, JSON.stringify(book), next]));
    if (Number(written) !== 1)
      throw new KeyBookError('were changed by another command meanwhile: run it again');
  }

  async #load(): Promise<void> {
    try {
      const [version, text] = await this.#fetch(this.#version);
      if (version !== this.#version) {
        this.replace(text === undefined ? EMPTY_BOOK : parseKeyBook(text));
        this.#version = version;
      }
      this.markFresh();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        const reason =
          error instanceof KeyBookError
            ? `the entry ${error.message}`
            : error instanceof RedisUnusableError
              ? error.message
              : 'Redis does not answer';
        this.warn(
          logLine`The API keys in Redis cannot be followed: ${reason}. They count for ${this.#maxStaleMs} ms more.`,
        );
      }
      this.#failing = true;
      this.warnIfStale();
    }
  }

  async #fetch(known: string): Promise<[version: string, text: string | undefined]> {
    const answer = (await inTime(this.#run.eval(READ, [this.#key], [known]))) as [unknown, unknown?];
    const [version, text] = answer;
    return [String(version), text === undefined || text === null ? undefined : String(text)];
  }
}

/** A client may queue commands while its server is down. */
function inTime<T>(answer: Promise<T>): Promise<T> {
  return within(answer, COMMAND_MS, 'Redis does not answer');
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
  async connect(): Promise<void> {
    await inTime(this.#opened.connect()).catch(() => undefined);
  }

  override async open(hooks: KeyStoreHooks): Promise<void> {
    await this.connect();
    await super.open(hooks);
  }

  override close(): void {
    void super.close();
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
  const option = 'createRedisKeyStore(url)';
  checkRedisUrl(option, url);
  return new ConnectedRedisKeyStore(await openClient(option, url), options);
}
