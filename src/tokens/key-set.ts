/* Key sets that change while the app runs. A set is read again when it is too old, or when a token names a key ID that is not in it. */
import type { KeyObject } from 'node:crypto';
import { logLine } from '../common/log-text.js';
import { isRecord } from '../common/read-options.js';
import { findKeys, readPublicJwk, repeatedKeyIds, type TokenKey, UnusableKeyError } from './token-key.js';

/** The source of a verifier's keys. */
export interface TokenKeys {
  /** Changes with the keys: cached tokens of a withdrawn key are not valid any more. */
  readonly version: number;
  /** Resolves when the keys are fresh; `undefined` if they are. */
  refresh(nowMs: number): Promise<void> | undefined;
  /** Reads the keys again because a key is unknown; `undefined` during the cooldown, or if the keys never change. */
  reload(nowMs: number): Promise<void> | undefined;
  find(alg: string, kid: string | undefined): readonly KeyObject[];
}

/** Keys from the options, which never change. */
export function fixedKeys(keys: readonly TokenKey[]): TokenKeys {
  return {
    version: 0,
    refresh: () => undefined,
    reload: () => undefined,
    find: (alg, kid) => findKeys(keys, alg, kid).map(({ key }) => key),
  };
}

export interface KeySetTimes {
  /** The set is read again at this age. */
  readonly maxAgeMs: number;
  /** The least time between two readings, whatever key IDs tokens name. */
  readonly cooldownMs: number;
  /** How long the last good set is used while readings fail. After that, there are no keys. */
  readonly staleMs: number;
  /** Whether requests wait for a source whose last reading failed: for local files. */
  readonly patient: boolean;
}

/** The cooldown of a failing source: meanwhile, there may be no keys at all. */
const RETRY_MS = 2_000;

/** There are no keys to verify with, which is answered with 503. */
class KeysUnavailableError extends Error {}

/** A set that `load` reads, one reading at a time. */
export class KeySet<K extends TokenKey = TokenKey> implements TokenKeys {
  keys: readonly K[] = [];
  version = 0;
  #fingerprint = '';
  #loading: Promise<void> | undefined;
  #attemptedMs = -Infinity;
  #loadedMs = -Infinity;
  #failing = false;

  constructor(
    private readonly load: () => Promise<readonly K[]>,
    private readonly times: KeySetTimes,
    private readonly now: () => number,
    private readonly warn: (message: string) => void,
  ) {}

  refresh(nowMs: number): Promise<void> | undefined {
    if (nowMs - this.#loadedMs < this.times.maxAgeMs) return undefined;
    const reading = this.reload(nowMs);
    // With good keys, requests do not wait for a source whose last reading failed.
    if (nowMs - this.#loadedMs < this.times.staleMs)
      return this.#failing && !this.times.patient ? undefined : reading;
    if (reading !== undefined) return reading.then(() => this.#requireKeys());
    return this.#loading?.then(() => this.#requireKeys()) ?? Promise.reject(new KeysUnavailableError());
  }

  reload(nowMs: number): Promise<void> | undefined {
    if (this.#loading !== undefined) return this.#loading;
    const cooldownMs = this.#failing ? Math.min(this.times.cooldownMs, RETRY_MS) : this.times.cooldownMs;
    if (nowMs - this.#attemptedMs < cooldownMs) return undefined;
    this.#attemptedMs = nowMs;
    this.#loading = this.#read().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  find(
    alg: string,
    kid: string | undefined,
    isUsable: (key: K) => boolean = () => true,
  ): readonly KeyObject[] {
    return findKeys(this.keys, alg, kid)
      .filter(isUsable)
      .map(({ key }) => key);
  }

  /** The first reading. An error stops the start-up. */
  async open(): Promise<void> {
    this.#attemptedMs = this.now();
    this.#take(await this.load());
  }

  async #read(): Promise<void> {
    try {
      this.#take(await this.load());
      if (this.#failing) this.warn('The token keys can be read again.');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.warn(logLine`The token keys cannot be read; the last ones are used meanwhile: ${error}`);
      this.#failing = true;
    }
  }

  #take(keys: readonly K[]): void {
    this.#loadedMs = this.now();
    const fingerprint = JSON.stringify(keys.map(({ key, ...rest }) => [rest, key.export({ format: 'jwk' })]));
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.keys = keys;
    this.version++;
  }

  #requireKeys(): void {
    if (this.now() - this.#loadedMs >= this.times.staleMs) throw new KeysUnavailableError();
  }
}

const FETCH_TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 100;

/**
 * Fetches an issuer's key set (RFC 7517 section 5) with bounds on time and size. The URL comes from the options, never from a token.
 * @throws Error for a response that is not a key set, too large or too slow
 */
export async function fetchKeys(uri: URL): Promise<readonly TokenKey[]> {
  const response = await fetch(uri, {
    headers: { Accept: 'application/jwk-set+json, application/json' },
    // A redirect could lead to an address that the options do not allow.
    redirect: 'error',
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${uri.origin} answered ${response.status}`);
  }
  return readKeySet(JSON.parse(await readText(response)));
}

/** The usable keys of a set; others are ignored (RFC 7517 section 5). @throws Error if it is not a key set */
function readKeySet(set: unknown): readonly TokenKey[] {
  if (!isRecord(set) || !Array.isArray(set['keys']))
    throw new Error('The response is not a JSON Web Key Set');
  if (set['keys'].length > MAX_KEYS) throw new Error(`The key set has more than ${MAX_KEYS} keys`);
  const keys = set['keys'].flatMap(jwk => {
    try {
      return readPublicJwk(jwk);
    } catch (error) {
      if (error instanceof UnusableKeyError) return [];
      throw error;
    }
  });
  const repeated = repeatedKeyIds(keys);
  return keys.filter(({ kid }) => kid === undefined || !repeated.has(kid));
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MAX_BYTES) throw new Error(`The key set has more than ${MAX_BYTES} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}
