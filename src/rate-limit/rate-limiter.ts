import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../common/clock.js';
import { hashKey } from '../common/hash-key.js';
import { joinKey } from '../common/join-key.js';
import { readObject } from '../common/read-options.js';
import { EVERY_POLICY, type QuotaDecision } from '../limiter/consume.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { retryAfterSeconds } from '../limiter/quota-headers.js';
import { checkCost, checkPartitionKey, isConcurrency, type QuotaRequest } from '../limiter/quota-request.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import { resolvePolicies } from './limit-rule.js';
import type { RateLimitPolicyOptions } from './policy-options.js';
import {
  createReservation,
  detailsOf,
  type RateLimitReservation,
  RESERVATION_LIFETIME_MS,
} from './reservation.js';
import { restrictAll, takenBy } from '../limiter/restrict-request.js';

/**
 * A limit string, or the options of a policy that do not depend on a request.
 * @example
 * const policy: RateLimiterPolicy = { limit: '100/hour', algorithm: 'token-bucket', burst: 20 };
 */
export type RateLimiterPolicy =
  | string
  | (Pick<RateLimitPolicyOptions, 'name' | 'algorithm' | 'burst' | 'unit' | 'shadow' | 'alertAt'> & {
      limit: string | number;
    });

/**
 * The state of a key under a policy, as `RateLimiter.peek()` and `settle()` return it. Durations are milliseconds.
 * @example
 * const { granted, limits }: RateLimitResult = await limiter.peek('5/minute', key);
 * const remaining = limits[0]?.remaining;
 */
export interface RateLimitResult {
  readonly granted: boolean;
  /** One entry for each limit of the policy, in its order. Empty while the shared store fails and `onStoreError` is not `'local'`. */
  readonly limits: readonly {
    readonly name: string;
    readonly limit: number;
    readonly windowMs: number;
    readonly remaining: number;
    /** Milliseconds until units return; for a limit that denied, until this request would be granted. */
    readonly resetMs: number;
  }[];
  /** Whole seconds to wait, at least 1, if it was denied. */
  readonly retryAfterSeconds: number | undefined;
}

/**
 * What `RateLimiter.consume()` returns.
 * @example
 * const { granted, reservation }: ConsumeResult = await limiter.consume('5/minute', key);
 */
export interface ConsumeResult extends RateLimitResult {
  /** For `settle()`; `undefined` if it was denied. */
  readonly reservation: RateLimitReservation | undefined;
}

/** Bounds how many different policies one process can create. */
const MAX_POLICIES = 1_000;

const POLICY_KEYS = ['limit', 'name', 'algorithm', 'burst', 'unit', 'shadow', 'alertAt'] as const;

/**
 * Programmatic limiting, for everything that is no request of a guarded route: jobs of a queue, the user name of a login form. It counts
 * where the guard counts: in the shared store, if there is one.
 * @example
 * const { granted, retryAfterSeconds } = await limiter.consume('5/minute', `login:${email}`);
 */
@Injectable()
export class RateLimiter {
  readonly #engine: QuotaEngine;
  readonly #clock: Clock;
  readonly #tables = new Map<string, QuotaTable>();

  constructor(@Inject(QUOTA_ENGINE) engine: QuotaEngine, @Inject(CLOCK) clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /**
   * Takes `cost` units from the quota of `key`: from all limits of the policy, or from none.
   * @param policy a limit string, or `{ limit, name, algorithm, burst, unit, shadow, alertAt }`; equal policies share their counts
   * @throws AgentSecurityConfigError for an invalid policy
   * @throws RangeError for a cost that is not a whole number from 0
   * @example
   * const { granted, reservation } = await limiter.consume({ limit: '100000/day', unit: 'tokens' }, tenant, 4_000);
   */
  async consume(policy: RateLimiterPolicy, key: string, cost = 1): Promise<ConsumeResult> {
    const quotaRequests = [this.#requestFor(policy, key, checkCost(cost))];
    const decided = await this.#engine.decide(quotaRequests, {});
    const result = this.#toResult(decided?.decision);
    if (decided?.decision.granted !== true) return { ...result, reservation: undefined };
    const { decision, isShared, chargedMs } = decided;
    const quotaRequest = takenBy(decision, quotaRequests)[0];
    return { ...result, reservation: createReservation(cost, { quotaRequest, isShared, chargedMs }) };
  }

  /** Reads the state of `key` and takes nothing. */
  async peek(policy: RateLimiterPolicy, key: string): Promise<RateLimitResult> {
    return this.#toResult(await this.#engine.peek(this.#requestFor(policy, key, 0)));
  }

  /** Gives `key` its whole quota back. */
  async reset(policy: RateLimiterPolicy, key: string): Promise<void> {
    await this.#engine.reset(this.#requestFor(policy, key, 0));
  }

  /**
   * Corrects an estimate: charges what `actual` is above it, also beyond the limit, or gives back what it is below. Fractions are rounded
   * up. `undefined` (the cost is unknown) leaves the estimate charged; so does a reservation that is 15 minutes old, as far as it would
   * give back. 0 releases a `'concurrency'` policy. Only the first call counts.
   * @throws RangeError for an `actual` below 0 or above 2^53 - 1
   */
  async settle(reservation: RateLimitReservation, actual: number | undefined): Promise<RateLimitResult> {
    const details = detailsOf(reservation);
    if (details === undefined)
      throw new TypeError('settle() takes the reservation of consume() or of @Reserved()');
    if (actual !== undefined && (actual < 0 || (Number.isFinite(actual) && actual > Number.MAX_SAFE_INTEGER)))
      throw new RangeError(`A cost must be a number from 0 to 2^53 - 1, received ${actual}`);
    const isKnown = actual !== undefined && Number.isFinite(actual) && !details.isSettled;
    if (isKnown) details.isSettled = true;
    const difference = isKnown ? Math.ceil(actual) - reservation.units : 0;
    const isOld = this.#clock.monotonicMs() - details.chargedMs > RESERVATION_LIFETIME_MS;
    const isRefundable = difference >= 0 || !isOld;
    const quotaRequests = restrictAll(
      [details.quotaRequest],
      policy => isRefundable || isConcurrency(policy),
    );
    const decision = await this.#engine.adjust(quotaRequests, difference, details);
    details.onSettled?.(decision);
    return this.#toResult(decision);
  }

  /** @param decision `undefined` while the shared store fails */
  #toResult(decision: QuotaDecision | undefined): RateLimitResult {
    const granted = decision?.granted ?? this.#engine.settings.onStoreError === 'allow';
    const { policyStates } = decision ?? { policyStates: [] };
    return {
      granted,
      limits: policyStates.map(({ policy: { name, limit, windowMs }, remaining, resetMs }) => ({
        name,
        limit,
        windowMs,
        remaining,
        resetMs,
      })),
      retryAfterSeconds: granted ? undefined : retryAfterSeconds(policyStates),
    };
  }

  #requestFor(policy: RateLimiterPolicy, key: string, cost: number): QuotaRequest {
    const table = this.#tableOf(policy);
    const partitionKey = checkPartitionKey('The key', key) ?? '';
    // A policy without a name is named by its numbers, so that other numbers count apart, as they do in this process.
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
      table = this.#engine.createTable(resolvePolicies('policy', input));
      this.#tables.set(id, table);
    }
    return table;
  }
}
