import { Inject, Injectable, Logger } from '@nestjs/common';
import { CLOCK, type Clock } from '../common/clock.js';
import { joinKey } from '../common/join-key.js';
import { readObject } from '../common/read-options.js';
import { SecurityEvents } from '../events/security-events.js';
import {
  type QuotaRequest,
  type QuotaClient,
  checkCost,
  checkPartitionKey,
  isConcurrency,
  parts,
  policiesOf,
  takenOf,
} from '../limiter/quota-request.js';
import { GuardedStore } from '../limiter/store/guarded-store.js';
import { hashKey } from '../common/hash-key.js';
import {
  adjust,
  type Charge,
  EVERY_POLICY,
  consume,
  peek,
  type PolicyState,
  type QuotaDecision,
} from '../limiter/consume.js';
import { Lease } from './lease.js';
import { type RateLimitPolicyOptions, resolvePolicies } from './limit-rule.js';
import { Once } from './once.js';
import type { Policy } from '../limiter/policy.js';
import { retryAfterSeconds } from '../limiter/quota-headers.js';
import type { StoredCharge } from '../limiter/store/quota-store.js';
import { QuotaTable } from '../limiter/table/quota-table.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from './rate-limit.options.js';
import { ShadowReport } from './shadow-report.js';
import {
  createReservation,
  detailsOf,
  type RateLimitReservation,
  RESERVATION_LIFETIME_MS,
} from './reservation.js';

/** A limit string, or the parts of a policy that do not depend on a request. */
export type RateLimiterPolicy =
  | string
  | (Pick<RateLimitPolicyOptions, 'name' | 'algorithm' | 'burst' | 'unit' | 'shadow' | 'alertAt'> & {
      limit: string | number;
    });

/** How a key stands under a policy. */
export interface RateLimitResult {
  readonly granted: boolean;
  /** One entry a limit of the policy, in its order. Empty while the shared store fails and `onStoreError` is not `'local'`. */
  readonly limits: readonly {
    readonly name: string;
    readonly limit: number;
    readonly windowMs: number;
    readonly remaining: number;
    /** Milliseconds until units return; for a limit that refused, until this request would be granted. */
    readonly resetMs: number;
  }[];
  /** Whole seconds to wait, at least 1, if it was refused. */
  readonly retryAfterSeconds: number | undefined;
}

export interface ConsumeResult extends RateLimitResult {
  /** What `settle()` takes; `undefined` if it was refused. */
  readonly reservation: RateLimitReservation | undefined;
}

/** A decision, and where it was made. */
export interface Decided {
  readonly decision: QuotaDecision;
  readonly isShared: boolean;
  /** On the monotonic clock. */
  readonly chargedMs: number;
}

/** Bounds how many different policies one process can make up by hand. */
const MAX_POLICIES = 1_000;

const POLICY_KEYS = ['limit', 'name', 'algorithm', 'burst', 'unit', 'shadow', 'alertAt'] as const;

/**
 * Limits by hand, for what is no request of a guarded route: a queue, a gateway, a login form's user name. It counts where the guard
 * counts: in the shared store, if there is one.
 * @example
 * const { granted, retryAfterSeconds } = await limiter.consume('5/minute', `login:${email}`);
 */
@Injectable()
export class RateLimiter {
  readonly #tables = new Map<string, QuotaTable>();
  readonly #store: GuardedStore | undefined;
  readonly #said = new Once();
  readonly #leases = new Set<Lease>();
  /** Names of tables, in what was said. */
  readonly #tableNumbers = new WeakMap<QuotaTable, number>();
  #lastTableNumber = 0;
  readonly #shadow: ShadowReport;

  constructor(
    @Inject(RESOLVED_RATE_LIMIT) private readonly settings: ResolvedRateLimit,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly events: SecurityEvents,
  ) {
    const log = new Logger(RateLimiter.name);
    this.#store = settings.store && new GuardedStore(settings.store, clock, log, events);
    this.#shadow = new ShadowReport(clock, log);
  }

  /**
   * Takes `cost` units from the quota of `key`, from all limits of the policy or from none.
   * @param policy a limit string, or `{ limit, name, algorithm, burst, unit, shadow, alertAt }`; equal policies share their counts
   * @throws AgentSecurityConfigError for a policy that is none
   * @throws RangeError for a cost that is not a whole number from 0
   */
  async consume(policy: RateLimiterPolicy, key: string, cost = 1): Promise<ConsumeResult> {
    const quotaRequests = [this.#requestFor(policy, key, checkCost(cost))];
    const decided = await this.decide(quotaRequests);
    if (decided === undefined) return { ...this.#withoutStore(), reservation: undefined };
    this.emitEvents(quotaRequests, decided.decision, {});
    const { decision, isShared, chargedMs } = decided;
    const reservation = decision.granted
      ? createReservation(cost, {
          quotaRequests: parts(takenOf(quotaRequests, decision), () => true),
          isShared,
          chargedMs,
        })
      : undefined;
    return { ...toResult(decision), reservation };
  }

  /** How `key` stands; takes nothing. */
  async peek(policy: RateLimiterPolicy, key: string): Promise<RateLimitResult> {
    const quotaRequest = this.#requestFor(policy, key, 0);
    const shared = await this.#store?.consume(quotaRequest.stored);
    if (this.hasStore && shared === undefined && this.settings.onStoreError !== 'local')
      return this.#withoutStore();
    return toResult(shared ?? peek(quotaRequest.charges[0]!, this.clock.monotonicMs()));
  }

  /** Gives `key` its whole quota back. */
  async reset(policy: RateLimiterPolicy, key: string): Promise<void> {
    const { charges, stored } = this.#requestFor(policy, key, 0);
    for (const { table, key: number } of charges) table.delete(number.hi, number.lo);
    await this.#store?.reset(stored);
  }

  /**
   * Corrects an estimate: charges what `actual` is above it, also beyond the limit, or gives back what it is below. Fractions are rounded
   * up. `undefined` (nobody knows) leaves the estimate charged; so does a reservation that is 15 minutes old, as far as it would give
   * back. 0 releases the slots of a `'concurrency'` policy. The first call counts; later ones change nothing.
   * @throws RangeError for an `actual` below 0, or beyond what is counted exactly (2^53 - 1)
   */
  async settle(reservation: RateLimitReservation, actual: number | undefined): Promise<RateLimitResult> {
    const details = detailsOf(reservation);
    if (details === undefined)
      throw new TypeError('settle() takes the reservation of consume() or of @Reserved()');
    if (actual !== undefined && (actual < 0 || (Number.isFinite(actual) && actual > Number.MAX_SAFE_INTEGER)))
      throw new RangeError(`A cost must be a number from 0 to 2^53 - 1, received ${actual}`);
    const { quotaRequests, isShared, chargedMs } = details;
    const isKnown = actual !== undefined && Number.isFinite(actual) && !details.isSettled;
    if (isKnown) details.isSettled = true;
    const isOld = this.clock.monotonicMs() - chargedMs > RESERVATION_LIFETIME_MS;
    // Limits that charged different estimates for one request differ from what it cost by as much.
    const byDifference = new Map<number, QuotaRequest[]>();
    for (const quotaRequest of quotaRequests) {
      const difference = isKnown ? Math.ceil(actual) - quotaRequest.charges[0]!.cost : 0;
      const alike = byDifference.get(difference);
      if (alike === undefined) byDifference.set(difference, [quotaRequest]);
      else alike.push(quotaRequest);
    }
    const decisions = await Promise.all(
      [...byDifference].map(async ([difference, alike]) => {
        const settled = difference < 0 && isOld ? parts(alike, isConcurrency) : alike;
        const outcome = await this.#adjust(settled, difference, isShared, chargedMs);
        this.emitEvents(settled, outcome, {});
        return outcome;
      }),
    );
    const decision: QuotaDecision = {
      granted: true,
      policyStates: decisions.flatMap(({ policyStates }) => policyStates),
    };
    details.onSettled?.(decision);
    return toResult(decision);
  }

  /** The counts of some policies, bounded like all others. */
  createTable(policies: readonly Policy[]): QuotaTable {
    return new QuotaTable(policies, this.settings.maxClients);
  }

  /** Judges by the process's own counts. */
  consumeLocally(charges: readonly Charge[]): QuotaDecision {
    return consume(charges, this.clock.monotonicMs());
  }

  /** Charges the shared store, if there is one, and waits for nothing. */
  charge(quotaRequests: readonly QuotaRequest[]): void {
    this.#store?.consume(storedOf(quotaRequests)).catch(() => undefined);
  }

  /**
   * Judges by the shared store, and by the process's own counts where there is none.
   * @returns `undefined` while the store fails, unless `onStoreError` is `'local'`
   */
  async decide(quotaRequests: readonly QuotaRequest[]): Promise<Decided | undefined> {
    if (this.#store !== undefined) {
      const chargedMs = this.clock.monotonicMs();
      const decision = await this.#store.consume(storedOf(quotaRequests));
      if (decision !== undefined) return { decision, isShared: true, chargedMs };
      if (this.settings.onStoreError !== 'local') return undefined;
    }
    const chargedMs = this.clock.monotonicMs();
    const decision = consume(
      quotaRequests.flatMap(({ charges }) => charges),
      chargedMs,
    );
    return { decision, isShared: false, chargedMs };
  }

  /** Whether a denial lasts until its reset: one of the process's own counts may end earlier, when a store that failed answers again. */
  remembers({ isShared }: Pick<Decided, 'isShared'>): boolean {
    return isShared || !this.hasStore;
  }

  get hasStore(): boolean {
    return this.#store !== undefined;
  }

  /** Leases the slots that a granted decision has taken, and renews them; `undefined` if it has taken none. */
  lease(
    quotaRequests: readonly QuotaRequest[],
    { decision, isShared, chargedMs }: Decided,
  ): Lease | undefined {
    const held = parts(takenOf(quotaRequests, decision), isConcurrency);
    if (held.length === 0) return undefined;
    let beganMs = chargedMs;
    const leaseMs = Math.min(
      ...held.flatMap(({ charges }) =>
        charges.flatMap(charge => policiesOf(charge).map(({ windowMs }) => windowMs)),
      ),
    );
    const lease = new Lease({
      leaseMs,
      renew: async () => {
        const nowMs = this.clock.monotonicMs();
        if (!isShared) this.#renewLocally(held, beganMs);
        else if ((await this.#store!.renew(storedOf(held), nowMs - beganMs)) === undefined) return;
        beganMs = nowMs;
      },
      release: () => {
        this.#leases.delete(lease);
        if (isShared) this.#store!.release(storedOf(held), beganMs);
        else
          for (const quotaRequest of held)
            void this.#adjust([quotaRequest], -quotaRequest.charges[0]!.cost, isShared, beganMs);
      },
    });
    this.#leases.add(lease);
    return lease;
  }

  /** Releases all slots, those of handlers too that are still running, and settles when a shared store has answered. */
  async close(): Promise<void> {
    await Promise.all([...this.#leases].map(lease => lease.release()));
    await this.#store?.released();
  }

  /** Emits what a decision gives cause to: thresholds that were reached, refusals by policies in shadow mode. */
  emitEvents(
    quotaRequests: readonly QuotaRequest[],
    { granted, policyStates }: QuotaDecision,
    quotaClient: QuotaClient,
  ): void {
    if (!granted) return;
    if (policyStates.some(({ violated }) => violated)) this.#shadow.note();
    if (!this.events.isObserved) return;
    let at = 0;
    for (const { partitionKey, charges } of quotaRequests) {
      for (const charge of charges) {
        for (const policy of policiesOf(charge)) {
          const policyState = policyStates[at];
          // A store may leave out how a policy stands that was charged nothing.
          if (policyState?.policy !== policy) continue;
          at++;
          if (policyState.violated)
            this.#emitShadow(policyState, charge, { ...quotaClient, key: partitionKey });
          else if (policy.alertAt !== undefined)
            this.#emitThresholds(policyState, charge, { ...quotaClient, key: partitionKey });
        }
      }
    }
  }

  #emitShadow(policyState: PolicyState, charge: Charge, whom: QuotaClient & { key: string }): void {
    const { name, limit, windowMs } = policyState.policy;
    if (!this.#isFirst(policyState, charge, 'shadow')) return;
    const timeMs = this.clock.epochMs();
    this.events.emit({ type: 'limit.shadow', timeMs, ...whom, policy: name, limit, windowMs });
  }

  #emitThresholds(policyState: PolicyState, charge: Charge, whom: QuotaClient & { key: string }): void {
    const { name, limit, windowMs, burst, alertAt } = policyState.policy;
    const used = burst - policyState.remaining;
    for (const share of alertAt!) {
      if (used < share * burst || !this.#isFirst(policyState, charge, share)) continue;
      const timeMs = this.clock.epochMs();
      this.events.emit({
        type: 'limit.threshold',
        timeMs,
        ...whom,
        policy: name,
        share,
        used,
        limit,
        windowMs,
      });
    }
  }

  /**
   * Whether this was not said yet of a quota in its window. The row of a table is the quota: two routes may give one name to their limits, and
   * a 404 draws on the module's without a key in a store.
   */
  #isFirst(
    { policy, resetMs }: PolicyState,
    { table, key, inSharedRow }: Charge,
    what: string | number,
  ): boolean {
    let tableNumber = this.#tableNumbers.get(table);
    if (tableNumber === undefined) this.#tableNumbers.set(table, (tableNumber = ++this.#lastTableNumber));
    const row = inSharedRow === true ? 'shared' : joinKey(key.hi, key.lo);
    const { windowMs } = policy;
    // A request for more than the limit never passes, whenever the window closes.
    const lastsMs = policy.rule === 'fixed-window' ? Math.min(resetMs, windowMs) : windowMs;
    const quota = joinKey(tableNumber, table.policies.indexOf(policy), row, what);
    return this.#said.isFirst(quota, this.clock.monotonicMs(), lastsMs);
  }

  async #adjust(
    quotaRequests: readonly QuotaRequest[],
    units: number,
    isShared: boolean,
    chargedMs: number,
  ): Promise<QuotaDecision> {
    const nowMs = this.clock.monotonicMs();
    if (!isShared) {
      return adjust(
        quotaRequests.flatMap(({ charges }) => charges),
        { units, chargedMs },
        nowMs,
      );
    }
    // A store that fails now keeps the estimate.
    return (await this.#store!.settle(storedOf(quotaRequests), units, nowMs - chargedMs)) ?? NOTHING;
  }

  #renewLocally(quotaRequests: readonly QuotaRequest[], chargedMs: number): void {
    const nowMs = this.clock.monotonicMs();
    for (const { charges } of quotaRequests) {
      for (const charge of charges) {
        adjust([charge], { units: -charge.cost, chargedMs }, nowMs);
        adjust([charge], { units: charge.cost, chargedMs: nowMs }, nowMs);
      }
    }
  }

  #withoutStore(): RateLimitResult {
    const granted = this.settings.onStoreError === 'allow';
    return { granted, limits: [], retryAfterSeconds: granted ? undefined : 1 };
  }

  #requestFor(policy: RateLimiterPolicy, key: string, cost: number): QuotaRequest {
    const table = this.#tableOf(policy);
    const partitionKey = checkPartitionKey('The key', key) ?? '';
    // A limit without a name is named by its numbers, so that one of other numbers counts for itself, as it does in this process.
    const scope = joinKey('hand', ...table.policies.map(({ name }) => name));
    return {
      partitionKey,
      charges: [{ table, mask: EVERY_POLICY, key: hashKey(partitionKey), cost }],
      stored: [{ key: joinKey(scope, partitionKey), scope, partitionKey, policies: table.policies, cost }],
    };
  }

  #tableOf(input: RateLimiterPolicy): QuotaTable {
    const id = typeof input === 'string' ? input : JSON.stringify(input);
    let table = this.#tables.get(id);
    if (table === undefined) {
      if (this.#tables.size >= MAX_POLICIES) {
        throw new RangeError(
          `More than ${MAX_POLICIES} policies: a policy is a constant, what varies belongs in the key`,
        );
      }
      if (typeof input !== 'string') readObject('policy', input, POLICY_KEYS);
      table = this.createTable(resolvePolicies('policy', input));
      this.#tables.set(id, table);
    }
    return table;
  }
}

const storedOf = (quotaRequests: readonly QuotaRequest[]): readonly StoredCharge[] =>
  quotaRequests.flatMap(({ stored }) => stored);

/** How policies stand that could not be asked. */
const NOTHING: QuotaDecision = { granted: true, policyStates: [] };

function toResult({ granted, policyStates }: QuotaDecision): RateLimitResult {
  return {
    granted,
    limits: policyStates.map(({ policy, remaining, resetMs }: PolicyState) => ({
      name: policy.name,
      limit: policy.limit,
      windowMs: policy.windowMs,
      remaining,
      resetMs,
    })),
    retryAfterSeconds: granted ? undefined : retryAfterSeconds(policyStates),
  };
}
