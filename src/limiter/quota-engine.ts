/* Decides and charges quotas, by a shared store or by the counts of this process. Guards, tools and `RateLimiter` share one engine. */
import type { Clock } from '../common/clock.js';
import { type Log, logLine } from '../common/log-text.js';
import { temporarilyUnavailable } from '../common/rejection.js';
import type { SecurityEvents } from '../events/security-events.js';
import { adjust, type Charge, consume, peek, type QuotaDecision } from './consume.js';
import { Lease } from './lease.js';
import type { LimitProbe } from './limit-probe.js';
import type { Policy } from './policy.js';
import { QuotaEvents } from './quota-events.js';
import { isConcurrency, type QuotaClient, type QuotaRequest } from './quota-request.js';
import { GuardedStore } from './store/guarded-store.js';
import type { QuotaStore, StoredCharge } from './store/quota-store.js';
import { QuotaTable } from './table/quota-table.js';
import { policiesOf, restrictAll, takenBy } from './restrict-request.js';

export const STORE_ERROR_POLICIES = ['local', 'allow', 'deny'] as const;
/**
 * What happens to requests while the shared store fails: `'local'` counts in this process, `'allow'` grants them, `'deny'` denies them
 * with 503.
 * @example
 * const onStoreError: StoreErrorPolicy = 'local';
 */
export type StoreErrorPolicy = (typeof STORE_ERROR_POLICIES)[number];

/** The shared store does not answer, and `onStoreError` is `'deny'`. */
export const LIMITS_UNAVAILABLE = temporarilyUnavailable({
  code: 'limits_unavailable',
  detail: 'The limits of this request cannot be checked at the moment.',
});

/** The `QuotaEngine` of the app. */
export const QUOTA_ENGINE = Symbol('agent-security:quota-engine');

interface QuotaEngineSettings {
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

/** The decision about policies that are charged nothing, or whose store does not answer. */
const NOTHING: QuotaDecision = { granted: true, policyStates: [] };

export class QuotaEngine {
  readonly #store: GuardedStore | undefined;
  readonly #events: QuotaEvents;
  readonly #leases = new Set<Lease>();

  constructor(
    readonly settings: QuotaEngineSettings,
    private readonly clock: Clock,
    private readonly log: Log,
    events: SecurityEvents,
    private readonly probe?: LimitProbe,
  ) {
    this.#store = settings.store && new GuardedStore(settings.store, clock, log, events, probe);
    this.#events = new QuotaEvents(clock, log, events, (key, ttlMs, act) => this.once(key, ttlMs, act));
  }

  get hasStore(): boolean {
    return this.#store !== undefined;
  }

  /** Whether the shared store has failed so often that no request waits for it. */
  get isCircuitOpen(): boolean {
    return this.#store?.isCircuitOpen === true;
  }

  /** Whether the shared store answers now. Counts for no client. */
  async checkStore(): Promise<boolean> {
    return (await this.#store?.check()) !== false;
  }

  /** Whether the shared store keeps texts for all processes. */
  get canShare(): boolean {
    return this.#store?.canShare === true;
  }

  /** As `QuotaStore.share`; `undefined` where the store fails, or has no such method. */
  share(topic: string, name: string, text: string): Promise<readonly string[] | undefined> {
    return this.#store?.share(topic, name, text) ?? Promise.resolve(undefined);
  }

  /** Emits an event for a tier without limits. */
  reportUnknownTier(tier: string, quotaClient: QuotaClient): void {
    this.#events.emitUnknownTier(tier, quotaClient);
  }

  createTable(policies: readonly Policy[]): QuotaTable {
    this.probe?.declarePolicies(policies);
    return new QuotaTable(policies, this.settings.maxClients);
  }

  /** Decides by the counts of this process, for policies without events. */
  consumeLocally(charges: readonly Charge[]): QuotaDecision {
    const decision = consume(charges, this.clock.monotonicMs());
    this.probe?.recordDecision(decision);
    return decision;
  }

  /** Decides by the counts of this process. Charges the shared store, if there is one, without waiting for it. */
  charge(quotaRequests: readonly QuotaRequest[], quotaClient: QuotaClient): QuotaDecision {
    const decision = this.consumeLocally(chargesOf(quotaRequests));
    this.#store?.consume(storedOf(quotaRequests)).catch(() => undefined);
    this.#events.emit(quotaRequests, decision, quotaClient);
    return decision;
  }

  /**
   * Decides by the shared store, or by the counts of this process if there is none.
   * @returns `undefined` while the shared store fails, unless the counts of this process stand in for it
   */
  async decide(
    quotaRequests: readonly QuotaRequest[],
    quotaClient: QuotaClient,
  ): Promise<Decided | undefined> {
    let chargedMs = this.clock.monotonicMs();
    let decision = await this.#store?.consume(storedOf(quotaRequests));
    const isShared = decision !== undefined;
    if (decision === undefined) {
      if (!this.#canDecideLocally) return undefined;
      chargedMs = this.clock.monotonicMs();
      decision = consume(chargesOf(quotaRequests), chargedMs);
    }
    this.probe?.recordDecision(decision);
    this.#events.emit(quotaRequests, decision, quotaClient);
    return { decision, isShared, chargedMs };
  }

  /** Reads the state of a quota and takes nothing. @returns as `decide` */
  async peek({ stored, charges }: QuotaRequest): Promise<QuotaDecision | undefined> {
    const shared = await this.#store?.consume(stored);
    if (shared !== undefined || !this.#canDecideLocally) return shared;
    return peek(charges[0]!, this.clock.monotonicMs());
  }

  /** Whether the counts of this process decide where a shared store does not. */
  get #canDecideLocally(): boolean {
    return this.#store === undefined || this.settings.onStoreError === 'local';
  }

  /**
   * Whether no other process has remembered a key within `ttlMs`; it is remembered from then on. The caller has a memory of its own, which
   * decides alone without a shared store, without `remember` of that store, and while the store fails, unless `onStoreError` is `'deny'`.
   */
  async remember(key: string, ttlMs: number): Promise<boolean | 'unavailable'> {
    if (this.#store?.canRemember !== true) return true;
    const isNew = await this.#store.remember(key, ttlMs);
    return isNew ?? (this.settings.onStoreError === 'deny' ? 'unavailable' : true);
  }

  /**
   * Acts unless another process has done so under the key within `ttlMs`; at once without a shared store that remembers. While the store
   * fails, each process acts: better told twice than never.
   */
  once(key: string, ttlMs: number, act: () => void): void {
    const store = this.#store;
    if (store?.canRemember !== true) return act();
    const actIfFirst = async (): Promise<void> => {
      if ((await store.remember(key, ttlMs)) !== false) act();
    };
    // A listener of the app may throw.
    actIfFirst().catch((error: unknown) => this.log.error(logLine`An event could not be emitted: ${error}`));
  }

  /** Deletes all counts of a partition key. @returns whether the shared store, if there is one, has done so too */
  async reset({ charges, stored }: QuotaRequest): Promise<boolean> {
    for (const { table, key } of charges) table.delete(key.hi, key.lo);
    return (await this.#store?.reset(stored)) ?? true;
  }

  /** Charges (above 0) or gives back (below 0) units, whatever the limits are. */
  async adjust(
    quotaRequests: readonly QuotaRequest[],
    units: number,
    { isShared, chargedMs }: ChargedAt,
  ): Promise<QuotaDecision> {
    if (quotaRequests.length === 0) return NOTHING;
    const nowMs = this.clock.monotonicMs();
    const decision = isShared
      ? await this.#store!.settle(storedOf(quotaRequests), units, nowMs - chargedMs)
      : adjust(chargesOf(quotaRequests), { units, chargedMs }, nowMs);
    // While the store fails, the estimate stays charged.
    if (decision === undefined) return NOTHING;
    this.#events.emit(quotaRequests, decision, {});
    return decision;
  }

  /** Renews what a granted decision has taken of concurrency limits, until it is released; `undefined` if it has taken nothing. */
  lease(
    quotaRequests: readonly QuotaRequest[],
    { decision, isShared, chargedMs }: Decided,
  ): Lease | undefined {
    const held = restrictAll(takenBy(decision, quotaRequests), isConcurrency);
    if (held.length === 0) return undefined;
    const charges = chargesOf(held);
    const stored = storedOf(held);
    let beganMs = chargedMs;
    const lease = new Lease({
      leaseMs: Math.min(...charges.flatMap(policiesOf).map(({ windowMs }) => windowMs)),
      renew: async () => {
        const nowMs = this.clock.monotonicMs();
        if (!isShared) renewLocally(charges, beganMs, nowMs);
        else if ((await this.#store!.renew(stored, nowMs - beganMs)) === undefined) return;
        beganMs = nowMs;
      },
      release: () => {
        this.#leases.delete(lease);
        if (isShared) this.#store!.release(stored, beganMs);
        else releaseLocally(charges, beganMs, this.clock.monotonicMs());
      },
    });
    this.#leases.add(lease);
    return lease;
  }

  /** Releases all leases, also those of handlers that are still running, and waits until the shared store has answered. */
  async close(): Promise<void> {
    await Promise.all([...this.#leases].map(lease => lease.release()));
    await this.#store?.released();
  }
}

function renewLocally(charges: readonly Charge[], chargedMs: number, nowMs: number): void {
  releaseLocally(charges, chargedMs, nowMs);
  for (const charge of charges) adjust([charge], { units: charge.cost, chargedMs: nowMs }, nowMs);
}

function releaseLocally(charges: readonly Charge[], chargedMs: number, nowMs: number): void {
  for (const charge of charges) adjust([charge], { units: -charge.cost, chargedMs }, nowMs);
}

const storedOf = (quotaRequests: readonly QuotaRequest[]): readonly StoredCharge[] =>
  quotaRequests.flatMap(({ stored }) => stored);

const chargesOf = (quotaRequests: readonly QuotaRequest[]): readonly Charge[] =>
  quotaRequests.flatMap(({ charges }) => charges);
