import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../common/clock.js';
import { hashKey } from './hash-key.js';
import { type Charge, EVERY_POLICY, judge, look, type Standing, type Verdict } from './judge.js';
import type { Policy } from './policy.js';
import { QuotaTable } from './quota-table.js';
import { retryAfterSeconds } from './quota-headers.js';
import { readObject } from '../common/read-options.js';
import { type RateLimitPolicyOptions, resolveRules } from './limit-rule.js';

/** A limit string, or the parts of a policy that do not depend on a request. */
export type RateLimiterPolicy =
  string | Pick<RateLimitPolicyOptions, 'limit' | 'name' | 'algorithm' | 'burst'>;

/** How a key stands under a policy. */
export interface RateLimitResult {
  readonly granted: boolean;
  /** One entry a limit of the policy, in its order. */
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

/** Bounds how many different policies one process can make up by hand. */
const MAX_POLICIES = 1_000;

export const MAX_CLIENTS = Symbol('agent-security:max-clients');

/**
 * Limits by hand, for what is no request of a guarded route: a queue, a gateway, a login form's user name.
 * @example
 * const { granted, retryAfterSeconds } = await limiter.consume('5/minute', `login:${email}`);
 */
@Injectable()
export class RateLimiter {
  readonly #tables = new Map<string, QuotaTable>();

  constructor(
    @Inject(MAX_CLIENTS) private readonly maxClients: number,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Takes `cost` units from the quota of `key`, from all limits of the policy or from none.
   * @param policy a limit string, or `{ limit, name, algorithm, burst }`; equal policies share their counts
   * @throws AgentSecurityConfigError for a policy that is none
   * @throws RangeError for a cost that is not a whole number from 0
   */
  async consume(policy: RateLimiterPolicy, key: string, cost = 1): Promise<RateLimitResult> {
    const verdict = this.judge([this.#charge(policy, key, checkCost(cost))]);
    return toResult(verdict);
  }

  /** How `key` stands; takes nothing. */
  async peek(policy: RateLimiterPolicy, key: string): Promise<RateLimitResult> {
    return toResult(look(this.#charge(policy, key, 0), this.clock.monotonicMs()));
  }

  /** Gives `key` its whole quota back. */
  async reset(policy: RateLimiterPolicy, key: string): Promise<void> {
    const { hi, lo } = hashKey(key);
    this.#tableOf(policy).delete(hi, lo);
  }

  /** The counts of some policies, bounded like all others. */
  createTable(policies: readonly Policy[]): QuotaTable {
    return new QuotaTable(policies, this.maxClients);
  }

  judge(charges: readonly Charge[]): Verdict {
    return judge(charges, this.clock.monotonicMs());
  }

  #charge(policy: RateLimiterPolicy, key: string, cost: number): Charge {
    return { table: this.#tableOf(policy), mask: EVERY_POLICY, key: hashKey(key), cost };
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
      if (typeof input !== 'string') readObject('policy', input, ['limit', 'name', 'algorithm', 'burst']);
      table = this.createTable(resolveRules('policy', [input]).map(({ policy }) => policy));
      this.#tables.set(id, table);
    }
    return table;
  }
}

/** `NaN` and fractions would slip through every comparison; they are refused instead. */
export function checkCost(cost: unknown): number {
  if (typeof cost === 'number' && Number.isSafeInteger(cost) && cost >= 0) return cost;
  throw new RangeError(`A cost must be a whole number from 0, received ${String(cost)}`);
}

function toResult({ granted, standings }: Verdict): RateLimitResult {
  return {
    granted,
    limits: standings.map(({ policy, remaining, resetMs }: Standing) => ({
      name: policy.name,
      limit: policy.limit,
      windowMs: policy.windowMs,
      remaining,
      resetMs,
    })),
    retryAfterSeconds: granted ? undefined : retryAfterSeconds(standings),
  };
}
