/* Sets of keys that change while the app runs: read again when they have become old, or when a token names a key that is not there. */
import type { KeyObject } from 'node:crypto';
import { findKeys, type TokenKey } from './token-key.js';
import { logLine } from '../common/log-text.js';

/** Where a verifier has its keys from. */
export interface TokenKeys {
  /** Changes whenever the keys do: what was verified by a withdrawn key counts no longer. */
  readonly version: number;
  /** What to wait for until the keys are as new as promised; `undefined` where they are. */
  refresh(nowMs: number): Promise<void> | undefined;
  /** What to wait for before a key is called unknown; `undefined` where asking again is too soon or of no use. */
  reload(nowMs: number): Promise<void> | undefined;
  find(alg: string, kid: string | undefined): readonly KeyObject[];
}

/** Keys that stand in the options. */
export class FixedKeys implements TokenKeys {
  readonly version = 0;

  constructor(private readonly keys: readonly TokenKey[]) {}

  refresh(): undefined {
    return undefined;
  }

  reload(): undefined {
    return undefined;
  }

  find(alg: string, kid: string | undefined): readonly KeyObject[] {
    return findKeys(this.keys, alg, kid).map(({ key }) => key);
  }
}

export interface KeySetTimes {
  /** The set is read again when it is so old. */
  readonly maxAgeMs: number;
  /** No two readings are nearer than this, whatever tokens name. */
  readonly cooldownMs: number;
  /** How long the last good set holds while readings fail; then there are no keys. */
  readonly staleMs: number;
  /** Whether requests wait also for a source that failed last time: for one that is near. */
  readonly patient: boolean;
}

/** A source that fails is asked again so soon: until then, there may be no keys at all. */
const RETRY_MS = 2_000;

/** No keys, and why is not the client's fault. */
export class KeysUnavailableError extends Error {}

/** A set that `load` reads. One reading at a time, whoever waits for it. */
export class KeySet<K extends TokenKey = TokenKey> implements TokenKeys {
  #keys: readonly K[] = [];
  #fingerprint = '';
  #version = 0;
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

  get version(): number {
    return this.#version;
  }

  get keys(): readonly K[] {
    return this.#keys;
  }

  refresh(nowMs: number): Promise<void> | undefined {
    if (nowMs - this.#loadedMs < this.times.maxAgeMs) return undefined;
    const reading = this.reload(nowMs);
    // Who has good keys does not wait for a source that has just failed.
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
    return findKeys(this.#keys, alg, kid)
      .filter(isUsable)
      .map(({ key }) => key);
  }

  /** The first reading, at the start of the app: what is wrong then stops it. */
  async open(): Promise<void> {
    this.#attemptedMs = this.now();
    this.#take(await this.load());
  }

  async #read(): Promise<void> {
    try {
      this.#take(await this.load());
      if (this.#failing) this.warn('The keys of tokens can be read again.');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.warn(logLine`The keys of tokens cannot be read; the last ones hold meanwhile: ${error}`);
      this.#failing = true;
    }
  }

  #take(keys: readonly K[]): void {
    this.#loadedMs = this.now();
    const fingerprint = JSON.stringify(keys.map(describeKey));
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.#keys = keys;
    this.#version++;
  }

  #requireKeys(): void {
    if (this.now() - this.#loadedMs >= this.times.staleMs) throw new KeysUnavailableError();
  }
}

function describeKey({ key, ...rest }: TokenKey): unknown {
  return [rest, key.export({ format: 'jwk' })];
}
