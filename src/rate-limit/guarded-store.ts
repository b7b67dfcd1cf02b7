/* A shared store that is slow, dead or lying must cost the app neither its answers nor its limits: each decision has a deadline, and a
 * store that keeps failing is not asked until it answers again. */
import type { Clock } from '../common/clock.js';
import { Deadlines } from '../common/deadlines.js';
import { isRecord } from '../common/read-options.js';
import type { SecurityEvents } from '../common/security-events.js';
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
  readonly #deadlines = new Deadlines<() => void>(DEADLINE_MS, giveUp => giveUp());
  #failures = 0;
  #failing = false;
  #probedMs = -Infinity;

  constructor(
    private readonly store: QuotaStore,
    private readonly clock: Clock,
    private readonly log: StoreLog,
    private readonly events?: SecurityEvents,
  ) {}

  /** The store's decision; `undefined` if it has none in time. Never rejects, never waits longer than the deadline. */
  judge(charges: readonly StoredCharge[]): Promise<Verdict | undefined> {
    return this.#guard(async () => checkVerdict(await this.store.judge(charges)));
  }

  /** As {@link QuotaStore.settle}; `undefined` too if the store has no such method. */
  async settle(charges: readonly StoredCharge[], units: number, ageMs: number): Promise<Verdict | undefined> {
    if (this.store.settle === undefined) return undefined;
    return this.#guard(async () => checkVerdict(await this.store.settle!(charges, units, ageMs)));
  }

  /** As {@link QuotaStore.renew}. */
  async renew(charges: readonly StoredCharge[], ageMs: number): Promise<Verdict | undefined> {
    if (this.store.renew === undefined) return undefined;
    return this.#guard(async () => checkVerdict(await this.store.renew!(charges, ageMs)));
  }

  /** As {@link QuotaStore.reset}. @returns whether the store has done it */
  async reset(charges: readonly StoredCharge[]): Promise<boolean> {
    if (this.store.reset === undefined) return false;
    const done = await this.#guard(async () => {
      await this.store.reset!(charges);
      return true;
    });
    return done === true;
  }

  async #guard<T>(ask: () => Promise<T>): Promise<T | undefined> {
    if (this.#failures < FAILURES_TO_OPEN) return this.#ask(ask);
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#probedMs >= PROBE_INTERVAL_MS) {
      this.#probedMs = nowMs;
      void this.#ask(ask);
    }
    return undefined;
  }

  #ask<T>(ask: () => Promise<T>): Promise<T | undefined> {
    return new Promise(resolve => {
      let isLate = false;
      const giveUp = (): void => {
        isLate = true;
        this.#fail(`no answer within ${DEADLINE_MS} ms`);
        resolve(undefined);
      };
      const deadline = this.#deadlines.add(giveUp);
      const settle = (answer: T | undefined): void => {
        this.#deadlines.delete(deadline);
        resolve(answer);
      };
      void this.#attempt(ask, () => isLate).then(settle);
    });
  }

  /** The store's answer, late or not; `undefined` if it fails. What comes late has failed already, and says nothing of its health. */
  async #attempt<T>(ask: () => Promise<T>, isLate: () => boolean): Promise<T | undefined> {
    try {
      const answer = await ask();
      if (!isLate()) this.#succeed();
      return answer;
    } catch (error) {
      if (!isLate()) this.#fail(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #fail(reason: string): void {
    this.#failures += 1;
    if (this.#failing) return;
    this.#failing = true;
    this.events?.emit({ type: 'limit.store', timeMs: this.clock.epochMs(), state: 'failing', reason });
    this.log.error(
      `The rate-limit store fails (${reason}); until it answers again, rateLimit.onStoreError decides.`,
    );
  }

  #succeed(): void {
    this.#failures = 0;
    if (!this.#failing) return;
    this.#failing = false;
    this.events?.emit({ type: 'limit.store', timeMs: this.clock.epochMs(), state: 'healed' });
    this.log.log('The rate-limit store answers again.');
  }
}

/** @throws TypeError for what would pass for granted and is no verdict */
function checkVerdict(value: unknown): Verdict {
  if (isRecord(value) && typeof value['granted'] === 'boolean' && Array.isArray(value['standings']))
    return value as unknown as Verdict;
  throw new TypeError('its answer is no verdict');
}
