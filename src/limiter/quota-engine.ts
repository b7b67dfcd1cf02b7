/* Decides and charges quotas, by a shared store or by the counts of this process. Guards, tools and `RateLimiter` share one. */
import type { Clock } from '../common/clock.js';
import type { Log } from '../common/log-text.js';
import type { SecurityEvents } from '../events/security-events.js';
import { adjust, type Charge, consume, peek, type QuotaDecision } from './consume.js';
import { Lease } from './lease.js';
import type { Policy } from './policy.js';
import { QuotaEvents } from './quota-events.js';
import {
  type QuotaLimiter,
  type StoreErrorPolicy,
  isConcurrency,
  policiesOf,
  type QuotaClient,
  type QuotaRequest,
  restrictAll,
  takenBy,
} from './quota-request.js';
import { GuardedStore } from './store/guarded-store.js';
import type { QuotaStore, StoredCharge } from './store/quota-store.js';
import { QuotaTable } from './table/quota-table.js';

export interface QuotaEngineSettings {
  readonly store: QuotaStore | undefined;
  readonly onStoreError: StoreErrorPolicy;
  /** How many clients one quota holds in memory. */
  readonly maxClients: number;
}

/** Where and when something was charged. */
export interface ChargedAt {
  readonly isShared: boolean;
  /** On the monotonic clock. */
  readonly chargedMs: number;
}

export interface Decided extends ChargedAt {
  readonly decision: QuotaDecision;
}

/** The decision about policies whose store does not answer. */
const NOTHING: QuotaDecision = { granted: true, policyStates: [] };

const storedOf = (quotaRequests: readonly QuotaRequest[]): readonly StoredCharge[] =>
  quotaRequests.flatMap(({ stored }) => stored);

const chargesOf = (quotaRequests: readonly QuotaRequest[]): readonly Charge[] =>
  quotaRequests.flatMap(({ charges }) => charges);

export class QuotaEngine implements QuotaLimiter {
  readonly #settings: QuotaEngineSettings;
  readonly #clock: Clock;
  readonly #store: GuardedStore | undefined;
  readonly #events: QuotaEvents;
  readonly #leases = new Set<Lease>();

  constructor(settings: QuotaEngineSettings, clock: Clock, log: Log, events: SecurityEvents) {
    this.#settings = settings;
    this.#clock = clock;
    this.#store = settings.store && new GuardedStore(settings.store, clock, log, events);
    this.#events = new QuotaEvents(clock, log, events);
  }

  get hasStore(): boolean {
    return this.#store !== undefined;
  }

  createTable(policies: readonly Policy[]): QuotaTable {
    return new QuotaTable(policies, this.#settings.maxClients);
  }

  /** Decides by the counts of this process. */
  consumeLocally(charges: readonly Charge[]): QuotaDecision {
    return consume(charges, this.#clock.monotonicMs());
  }

  /** Charges the shared store, if there is one, without waiting for it. */
  charge(quotaRequests: readonly QuotaRequest[]): void {
    this.#store?.consume(storedOf(quotaRequests)).catch(() => undefined);
  }

  /** Decides by the shared store, or by the counts of this process if there is none. */
  async decide(quotaRequests: readonly QuotaRequest[]): Promise<Decided | undefined> {
    if (this.#store !== undefined) {
      const chargedMs = this.#clock.monotonicMs();
      const decision = await this.#store.consume(storedOf(quotaRequests));
      if (decision !== undefined) return { decision, isShared: true, chargedMs };
      if (this.#settings.onStoreError !== 'local') return undefined;
    }
    const chargedMs = this.#clock.monotonicMs();
    return { decision: consume(chargesOf(quotaRequests), chargedMs), isShared: false, chargedMs };
  }

  /** Reads the state of a quota and takes nothing. @returns as `decide` */
  async peek({ stored, charges }: QuotaRequest): Promise<QuotaDecision | undefined> {
    const shared = await this.#store?.consume(stored);
    if (shared !== undefined) return shared;
    if (this.hasStore && this.#settings.onStoreError !== 'local') return undefined;
    return peek(charges[0]!, this.#clock.monotonicMs());
  }

  /** Deletes all counts of a partition key. */
  async reset({ charges, stored }: QuotaRequest): Promise<void> {
    for (const { table, key } of charges) table.delete(key.hi, key.lo);
    await this.#store?.reset(stored);
  }

  /** Charges (above 0) or gives back (below 0) units, whatever the limits are. */
  async adjust(
    quotaRequests: readonly QuotaRequest[],
    units: number,
    { isShared, chargedMs }: ChargedAt,
  ): Promise<QuotaDecision> {
    if (quotaRequests.length === 0) return NOTHING;
    const nowMs = this.#clock.monotonicMs();
    if (!isShared) return adjust(chargesOf(quotaRequests), { units, chargedMs }, nowMs);
    // While the store fails, the estimate stays charged.
    return (await this.#store!.settle(storedOf(quotaRequests), units, nowMs - chargedMs)) ?? NOTHING;
  }

  /** Renews what a granted decision has taken of concurrency limits, until it is released; `undefined` if it has taken nothing. */
  lease(
    quotaRequests: readonly QuotaRequest[],
    { decision, isShared, chargedMs }: Decided,
  ): Lease | undefined {
    const held = restrictAll(takenBy(decision, quotaRequests), isConcurrency);
    if (held.length === 0) return undefined;
    let beganMs = chargedMs;
    const lease = new Lease({
      leaseMs: Math.min(
        ...chargesOf(held).flatMap(charge => policiesOf(charge).map(({ windowMs }) => windowMs)),
      ),
      renew: async () => {
        const nowMs = this.#clock.monotonicMs();
        if (!isShared) renewLocally(chargesOf(held), beganMs, nowMs);
        else if ((await this.#store!.renew(storedOf(held), nowMs - beganMs)) === undefined) return;
        beganMs = nowMs;
      },
      release: () => {
        this.#leases.delete(lease);
        if (isShared) this.#store!.release(storedOf(held), beganMs);
        else
          for (const charge of chargesOf(held))
            adjust([charge], { units: -charge.cost, chargedMs: beganMs }, this.#clock.monotonicMs());
      },
    });
    this.#leases.add(lease);
    return lease;
  }

  emitEvents(
    quotaRequests: readonly QuotaRequest[],
    decision: QuotaDecision,
    quotaClient: QuotaClient,
  ): void {
    this.#events.emit(quotaRequests, decision, quotaClient);
  }

  /** Releases all leases, also those of handlers that are still running, and waits until the shared store has answered. */
  async close(): Promise<void> {
    await Promise.all([...this.#leases].map(lease => lease.release()));
    await this.#store?.released();
  }
}

function renewLocally(charges: readonly Charge[], chargedMs: number, nowMs: number): void {
  for (const charge of charges) {
    adjust([charge], { units: -charge.cost, chargedMs }, nowMs);
    adjust([charge], { units: charge.cost, chargedMs: nowMs }, nowMs);
  }
}
