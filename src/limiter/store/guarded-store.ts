/* Calls a shared store so that a slow, dead or faulty one costs the app neither its answers nor its limits. Each decision has a
 * deadline, and a circuit breaker spares requests the wait for a store that keeps failing. */
import type { Clock } from '../../common/clock.js';
import { Deadlines } from '../../common/deadlines.js';
import { hideUrlPasswords, type Log, logLine } from '../../common/log-text.js';
import { show } from '../../common/show-value.js';
import type { SecurityEvents } from '../../events/security-events.js';
import type { QuotaDecision } from '../consume.js';
import { createPolicy } from '../create-policy.js';
import type { LimitProbe } from '../limit-probe.js';
import { LeaseReleases, leasesOf } from './lease-releases.js';
import type { QuotaStore, StoredCharge } from './quota-store.js';
import { readBoolean, readDecision, readTexts } from './read-answer.js';
import { within } from '../../common/within.js';

/** A charge that no store can take: the mistake of the caller, and so no failure of the store. */
export class InvalidChargeError extends RangeError {
  override readonly name = 'InvalidChargeError';
}

export const DEADLINE_MS = 100;
const SHARE_DEADLINE_MS = 1_000;
/** Failures in a row that open the circuit. */
const FAILURES_TO_OPEN = 5;
/** How often an open circuit sends a request to the store; the request does not wait for it. */
const PROBE_INTERVAL_MS = 1_000;

/** Of no client. It is never exceeded, since a denial writes nothing. */
const CHECKED: StoredCharge = {
  key: 'health',
  policies: [createPolicy({ name: 'health', limit: 1_000_000, windowMs: 1_000 })],
  cost: 1,
};

const ignore = (): void => undefined;

export class GuardedStore {
  readonly #deadlineMs: number;
  readonly #deadlines: Deadlines<() => void>;
  readonly #releases: LeaseReleases;
  #failures = 0;
  #failing = false;
  #probedMs = -Infinity;

  constructor(
    private readonly store: QuotaStore,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'log' | 'error'>,
    private readonly events?: SecurityEvents,
    private readonly probe?: LimitProbe,
  ) {
    const { deadlineMs = DEADLINE_MS } = store;
    this.#deadlineMs = deadlineMs > 0 && deadlineMs < DEADLINE_MS ? deadlineMs : DEADLINE_MS;
    this.#deadlines = new Deadlines(this.#deadlineMs, giveUp => giveUp());
    this.#releases = new LeaseReleases(store, clock);
  }

  /**
   * The decision of the store; `undefined` if it fails or misses the deadline. Leases that it grants afterwards are given back.
   *
   * This and the other methods reject with an {@link InvalidChargeError} for an invalid charge, such as a key that is not a string:
   * otherwise one client's key could open the circuit for all. They never reject with an error of the store.
   */
  consume(charges: readonly StoredCharge[]): Promise<QuotaDecision | undefined> {
    return this.#call(
      charges,
      () => this.store.consume(charges),
      answer => readDecision(answer, charges),
      unused => this.release(leasesOf(charges, unused), this.clock.monotonicMs()),
    );
  }

  /** Gives back leases that began at a moment. While the store fails, the release is kept until it answers again. */
  release(charges: readonly StoredCharge[], leasedMs: number): void {
    if (charges.length === 0 || this.store.settle === undefined) return;
    this.#releases.add(charges, leasedMs);
    if (this.#failures < FAILURES_TO_OPEN) this.#releases.send();
  }

  /** Settles when the store has answered every release that was sent, or is late. */
  async released(): Promise<void> {
    await within(this.#releases.sent(), DEADLINE_MS).catch(ignore);
  }

  /** As {@link QuotaStore.settle}; `undefined` too if the store has no such method. */
  async settle(
    charges: readonly StoredCharge[],
    units: number,
    ageMs: number,
  ): Promise<QuotaDecision | undefined> {
    if (this.store.settle === undefined) return undefined;
    if (!Number.isSafeInteger(units))
      throw new InvalidChargeError(`Units must be whole, received ${show(units)}`);
    return this.#call(
      charges,
      () => this.store.settle!(charges, units, ageMs),
      answer => readDecision(answer, charges),
    );
  }

  /** As {@link QuotaStore.renew}; `undefined` too if the store has no such method. */
  async renew(charges: readonly StoredCharge[], ageMs: number): Promise<QuotaDecision | undefined> {
    if (this.store.renew === undefined) return undefined;
    return this.#call(
      charges,
      () => this.store.renew!(charges, ageMs),
      answer => readDecision(answer, charges),
    );
  }

  get isCircuitOpen(): boolean {
    return this.#failures >= FAILURES_TO_OPEN;
  }

  /** Whether the store answers now what requests ask of it. A read-only replica answers a ping and cannot count. */
  async check(): Promise<boolean> {
    return (await this.consume([CHECKED])) !== undefined;
  }

  get canShare(): boolean {
    return this.store.share !== undefined;
  }

  /**
   * As {@link QuotaStore.share}; `undefined` if the store fails, does not answer within a second or has no such method. It does not count
   * for the circuit, since no request waits for it.
   */
  async share(topic: string, name: string, text: string): Promise<readonly string[] | undefined> {
    const { store } = this;
    if (store.share === undefined || this.isCircuitOpen) return undefined;
    try {
      return readTexts(await within(store.share(topic, name, text), SHARE_DEADLINE_MS));
    } catch {
      return undefined;
    }
  }

  get canRemember(): boolean {
    return this.store.remember !== undefined;
  }

  /** As {@link QuotaStore.remember}; `undefined` if the store fails, misses the deadline or has no such method. */
  async remember(key: string, ttlMs: number): Promise<boolean | undefined> {
    if (this.store.remember === undefined) return undefined;
    return this.#call([], () => this.store.remember!(key, ttlMs), readBoolean);
  }

  /** As {@link QuotaStore.reset}. @returns whether the store has carried it out */
  async reset(charges: readonly StoredCharge[]): Promise<boolean> {
    if (this.store.reset === undefined) return false;
    const done = await this.#call(
      charges,
      () => this.store.reset!(charges),
      () => true,
    );
    return done === true;
  }

  /** @param giveBack receives an answer that no caller waits for any more */
  async #call<T>(
    charges: readonly StoredCharge[],
    send: () => Promise<unknown>,
    read: (answer: unknown) => T,
    giveBack: (answer: T) => void = ignore,
  ): Promise<T | undefined> {
    checkCharges(charges);
    if (this.#failures < FAILURES_TO_OPEN) return this.#send(send, read, giveBack);
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#probedMs >= PROBE_INTERVAL_MS) {
      this.#probedMs = nowMs;
      // A real decision and not a ping: a read-only replica answers a ping and cannot count.
      this.#send(send, read, giveBack).then(answer => answer !== undefined && giveBack(answer), ignore);
    }
    return undefined;
  }

  #send<T>(
    send: () => Promise<unknown>,
    read: (answer: unknown) => T,
    giveBack: (answer: T) => void,
  ): Promise<T | undefined> {
    const { probe } = this;
    const startedMs = probe === undefined ? 0 : this.clock.monotonicMs();
    const measure = (error?: 'timeout' | 'failed'): void =>
      probe?.recordStoreCall(this.clock.monotonicMs() - startedMs, error);
    let sent: Promise<unknown>;
    try {
      sent = send();
    } catch (error) {
      if (error instanceof InvalidChargeError) return Promise.reject(error);
      // It failed at once, over these charges: no other request would wait for it, so the circuit stays closed.
      this.#report(reasonOf(error));
      return Promise.resolve(undefined);
    }
    return new Promise(resolve => {
      let isLate = false;
      const deadline = this.#deadlines.add(() => {
        isLate = true;
        measure('timeout');
        this.#fail(`no answer within ${this.#deadlineMs} ms`);
        resolve(undefined);
      });
      const finish = (answer: T | undefined): void => {
        this.#deadlines.delete(deadline);
        resolve(answer);
      };
      const receive = async (): Promise<void> => {
        try {
          const answer = read(await sent);
          // A late answer counts as a failure already, and says nothing about the health of the store.
          if (isLate) return giveBack(answer);
          measure();
          this.#succeed();
          finish(answer);
        } catch (error) {
          if (isLate) return;
          measure('failed');
          finish(undefined);
          this.#fail(reasonOf(error));
        }
      };
      void receive();
    });
  }

  #fail(reason: string): void {
    this.#failures += 1;
    this.#report(reason);
  }

  #report(reason: string): void {
    if (this.#failing) return;
    this.#failing = true;
    this.events?.emit({ type: 'limit.store', timeMs: this.clock.epochMs(), state: 'failing', reason });
    this.log.error(
      logLine`The rate-limit store fails (${reason}); until it answers again, rateLimit.onStoreError decides.`,
    );
  }

  #succeed(): void {
    this.#failures = 0;
    if (!this.#releases.isEmpty) this.#releases.send();
    if (!this.#failing) return;
    this.#failing = false;
    this.events?.emit({ type: 'limit.store', timeMs: this.clock.epochMs(), state: 'healed' });
    this.log.log('The rate-limit store answers again.');
  }
}

const reasonOf = (error: unknown): string =>
  hideUrlPasswords(error instanceof Error ? error.message : String(error));

function checkCharges(charges: readonly StoredCharge[]): void {
  for (const { key, scope, partitionKey, cost } of charges) {
    checkText(key);
    if (scope !== undefined) checkText(scope);
    if (partitionKey !== undefined) checkText(partitionKey);
    if (!Number.isSafeInteger(cost) || cost < 0)
      throw new InvalidChargeError(`A cost must be a whole number from 0, received ${show(cost)}`);
  }
}

function checkText(key: unknown): void {
  // The message shows only the type: a key may be a secret.
  if (typeof key !== 'string')
    throw new InvalidChargeError(`The key of a limit must be a text, received one of type ${typeof key}`);
}
