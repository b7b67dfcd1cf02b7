/* A shared store that is slow, dead or lying must cost the app neither its answers nor its limits: each decision has a deadline, and a
 * store that keeps failing is not asked until it answers again. */
import type { Clock } from '../../common/clock.js';
import type { Log } from '../../common/log.js';
import { Deadlines } from '../../common/deadlines.js';
import { isRecord } from '../../common/read-options.js';
import type { SecurityEvents } from '../../events/security-events.js';
import { show } from '../../common/show-value.js';
import { denies, type PolicyState, type QuotaDecision } from '../consume.js';
import type { Policy } from '../policy.js';
import type { QuotaStore, StoredCharge } from './quota-store.js';
import { SlotReleases, slotsOf } from './slot-releases.js';
import { within } from '../../common/within.js';
import { logLine } from '../../common/log-text.js';

/** What no store can be asked: the fault of who asks, and so no failure of the store. */
export class InvalidChargeError extends RangeError {
  override readonly name = 'UnaskableError';
}

export const DEADLINE_MS = 100;
/** So many failures in a row open the circuit. */
const FAILURES_TO_OPEN = 5;
/** While it is open, the store is tried so often, by a request that does not wait for it. */
const PROBE_INTERVAL_MS = 1_000;

/** What a store's answer to some charges says. */
type Read<T> = (answer: unknown, charges: readonly StoredCharge[]) => T;

const ignore = (): void => undefined;

export class GuardedStore {
  readonly #deadlines = new Deadlines<() => void>(DEADLINE_MS, giveUp => giveUp());
  #failures = 0;
  #failing = false;
  #probedMs = -Infinity;
  readonly #releases: SlotReleases;

  constructor(
    private readonly store: QuotaStore,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'log' | 'error'>,
    private readonly events?: SecurityEvents,
  ) {
    this.#releases = new SlotReleases(store, clock);
  }

  /**
   * The store's decision; `undefined` if it has none in time. Never waits longer than the deadline.
   *
   * Here and below: what a caller asks wrongly (a key that is no text, say) rejects with an {@link UnaskableError}, or one client's key could
   * open the circuit for everybody. Whatever else the store throws or rejects with is the store's, and never reaches a caller.
   */
  consume(charges: readonly StoredCharge[]): Promise<QuotaDecision | undefined> {
    // The request was decided without it, and nobody else would release its slots.
    const onUnheard = (decision: QuotaDecision): void =>
      this.release(slotsOf(charges, decision), this.clock.monotonicMs());
    return this.#guard(charges, () => this.store.consume(charges), checkDecision, onUnheard);
  }

  /** Gives slots back that were leased at a moment: as soon as the store takes them, while it fails later. */
  release(charges: readonly StoredCharge[], leasedMs: number): void {
    if (charges.length === 0 || this.store.settle === undefined) return;
    this.#releases.keep(charges, leasedMs);
    if (this.#failures < FAILURES_TO_OPEN) this.#releases.send();
  }

  /** Settles when the store has answered every release that was sent, or is late. */
  async released(): Promise<void> {
    await within(this.#releases.sent(), DEADLINE_MS).catch(() => undefined);
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
    return this.#guard(charges, () => this.store.settle!(charges, units, ageMs), checkDecision);
  }

  /** As {@link QuotaStore.renew}. */
  async renew(charges: readonly StoredCharge[], ageMs: number): Promise<QuotaDecision | undefined> {
    if (this.store.renew === undefined) return undefined;
    return this.#guard(charges, () => this.store.renew!(charges, ageMs), checkDecision);
  }

  /** As {@link QuotaStore.reset}. @returns whether the store has done it */
  async reset(charges: readonly StoredCharge[]): Promise<boolean> {
    if (this.store.reset === undefined) return false;
    const done = await this.#guard(
      charges,
      () => this.store.reset!(charges),
      () => true,
    );
    return done === true;
  }

  async #guard<T>(
    charges: readonly StoredCharge[],
    send: () => Promise<unknown>,
    read: Read<T>,
    onUnheard: (answer: T) => void = ignore,
  ): Promise<T | undefined> {
    checkCharges(charges);
    if (this.#failures < FAILURES_TO_OPEN) return this.#send(charges, send, read, onUnheard);
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#probedMs >= PROBE_INTERVAL_MS) {
      this.#probedMs = nowMs;
      // Nobody waits for it, so nobody could hear why it cannot be asked. The probe is a real decision and no ping: a read-only replica answers a ping and cannot count.
      this.#send(charges, send, read, onUnheard).then(
        answer => answer !== undefined && onUnheard(answer),
        ignore,
      );
    }
    return undefined;
  }

  #send<T>(
    charges: readonly StoredCharge[],
    send: () => Promise<unknown>,
    read: Read<T>,
    /** Told of an answer that comes after the deadline. */
    onLate: (answer: T) => void,
  ): Promise<T | undefined> {
    let sent: Promise<unknown>;
    try {
      sent = send();
    } catch (error) {
      if (error instanceof InvalidChargeError) return Promise.reject(error);
      // It failed over this question, at once, and before the store was asked: nobody else need be spared a wait.
      this.#report(reasonOf(error));
      return Promise.resolve(undefined);
    }
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
      void this.#attempt(charges, sent, read, () => isLate, onLate).then(settle);
    });
  }

  /** The store's answer, late or not; `undefined` if it fails. What comes late has failed already, and says nothing of its health. */
  async #attempt<T>(
    charges: readonly StoredCharge[],
    sent: Promise<unknown>,
    read: Read<T>,
    isLate: () => boolean,
    onLate: (answer: T) => void,
  ): Promise<T | undefined> {
    try {
      const answer = read(await sent, charges);
      if (isLate()) onLate(answer);
      else this.#succeed();
      return answer;
    } catch (error) {
      if (!isLate()) this.#fail(reasonOf(error));
      return undefined;
    }
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

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

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
  // Only the type is told: a key may be a secret.
  if (typeof key !== 'string')
    throw new InvalidChargeError(`The key of a limit must be a text, received one of type ${typeof key}`);
}

/**
 * One standing for each policy that was asked, in order, that agree with the decision. A store may leave out what it need not find out: how
 * policies stand that were charged nothing, and those behind one that refuses.
 * @throws TypeError for anything else: it would pass for granted, fail where it is told to a client, or tell nonsense there
 */
function checkDecision(value: unknown, charges: readonly StoredCharge[]): QuotaDecision {
  if (!isRecord(value) || typeof value['granted'] !== 'boolean' || !Array.isArray(value['policyStates']))
    throw new TypeError('its answer is no verdict');
  const { granted, policyStates } = value as { granted: boolean; policyStates: readonly unknown[] };
  let at = 0;
  let isDenied = false;
  for (const { policies, cost } of charges) {
    for (const policy of policies) {
      const policyState = policyStates[at];
      const isLeftOut = cost === 0 ? !isOf(policyState, policy) : isDenied && policyState === undefined;
      if (isLeftOut) continue;
      if (denies(checkPolicyState(policyState, policy, cost))) isDenied = true;
      at++;
    }
  }
  if (at !== policyStates.length)
    throw new TypeError('its verdict tells of limits that it was not asked about');
  if (granted === isDenied)
    throw new TypeError(granted ? 'it grants what a limit refuses' : 'it refuses what every limit grants');
  return value as unknown as QuotaDecision;
}

const isOf = (policyState: unknown, policy: Policy): boolean =>
  isRecord(policyState) && policyState['policy'] === policy;

function checkPolicyState(value: unknown, policy: Policy, cost: number): PolicyState {
  if (!isOf(value, policy)) throw new TypeError(`its verdict does not say how ${policy.name} stands`);
  const policyState = value as PolicyState;
  const { remaining, resetMs, violated } = policyState;
  // Only what is more than the whole limit never passes.
  const isNever = resetMs === Infinity && violated && cost > Math.min(policy.limit, policy.burst);
  const isTimed = typeof resetMs === 'number' && resetMs >= 0 && resetMs <= Number.MAX_SAFE_INTEGER;
  if (
    Number.isSafeInteger(remaining) &&
    remaining >= 0 &&
    (isTimed || isNever) &&
    typeof violated === 'boolean'
  )
    return policyState;
  throw new TypeError(`its verdict tells of ${policy.name} what is no standing`);
}
