/* A shared store that is slow, dead or lying must cost the app neither its answers nor its limits: each decision has a deadline, and a
 * store that keeps failing is not asked until it answers again. */
import type { Clock } from '../common/clock.js';
import { isRecord } from '../common/read-options.js';
import type { Verdict } from './judge.js';
import type { QuotaStore, StoredCharge } from './quota-store.js';

export interface StoreLog {
  log(message: string): void;
  error(message: string): void;
}

const DEADLINE_MS = 100;
/** So many failures in a row open the circuit. */
const FAILURES_TO_OPEN = 5;
/** While it is open, the store is tried so often, by a request that does not wait for it. */
const PROBE_INTERVAL_MS = 1_000;

export class GuardedStore {
  #failures = 0;
  #failing = false;
  #probedMs = -Infinity;

  constructor(
    private readonly store: QuotaStore,
    private readonly clock: Clock,
    private readonly log: StoreLog,
  ) {}

  /** The store's decision; `undefined` if it has none in time. Never rejects, never waits longer than the deadline. */
  async judge(charges: readonly StoredCharge[]): Promise<Verdict | undefined> {
    if (this.#failures < FAILURES_TO_OPEN) return this.#ask(charges);
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#probedMs >= PROBE_INTERVAL_MS) {
      this.#probedMs = nowMs;
      void this.#ask(charges);
    }
    return undefined;
  }

  #ask(charges: readonly StoredCharge[]): Promise<Verdict | undefined> {
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#fail(`no answer within ${DEADLINE_MS} ms`);
        resolve(undefined);
      }, DEADLINE_MS);
      const settle = (verdict: Verdict | undefined): void => {
        clearTimeout(timer);
        resolve(verdict);
      };
      void this.#attempt(charges).then(settle);
    });
  }

  /** The store's answer, late or not; `undefined` if it fails. */
  async #attempt(charges: readonly StoredCharge[]): Promise<Verdict | undefined> {
    try {
      const verdict = await this.store.judge(charges);
      if (!isVerdict(verdict)) throw new TypeError('its answer is no verdict');
      this.#succeed();
      return verdict;
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #fail(reason: string): void {
    this.#failures += 1;
    if (this.#failing) return;
    this.#failing = true;
    this.log.error(
      `The rate-limit store fails (${reason}); each process limits by itself until it answers again.`,
    );
  }

  #succeed(): void {
    this.#failures = 0;
    if (!this.#failing) return;
    this.#failing = false;
    this.log.log('The rate-limit store answers again.');
  }
}

function isVerdict(value: unknown): value is Verdict {
  return isRecord(value) && typeof value['granted'] === 'boolean' && Array.isArray(value['standings']);
}
