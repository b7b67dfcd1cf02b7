import type { Clock } from '../common/clock.js';
import type { Key64 } from '../common/ip-address.js';
import { consume, EVERY_POLICY, type QuotaDecision } from './consume.js';
import { type Policy, createPolicy } from './policy.js';
import { QuotaTable } from './table/quota-table.js';
import type { ReadOption } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';
import { parseLimits } from './parse-limits.js';

/** One limit that is counted in this process even if the app has a shared store: of an endpoint, or before routing. */
export class ProcessLimit {
  readonly #table: QuotaTable;

  /** @param maxClients how many partition keys it holds in memory */
  constructor(
    policy: Policy,
    maxClients: number,
    private readonly clock: Clock,
  ) {
    this.#table = new QuotaTable([policy], maxClients);
  }

  /** Consumes one unit. */
  consume(key: Key64): QuotaDecision {
    const charge = { table: this.#table, mask: EVERY_POLICY, key, cost: 1 };
    return consume([charge], this.clock.monotonicMs());
  }
}

/* Options that hold one limit, such as "10/minute". */

/** A reader of one limit, as a policy of the given name. */
export const singleLimit =
  (name: string, fallback: string): ReadOption<Policy> =>
  (option, value = fallback) => {
    const limits = typeof value === 'string' ? parseLimits(option, value) : [];
    const [parsed] = limits;
    if (parsed !== undefined && limits.length === 1)
      return createPolicy({ name, limit: parsed.limit, windowMs: parsed.windowMs });
    throw receivedError(
      'ASEC_OPTION_TYPE',
      option,
      'must be one limit',
      `Write for example "${fallback}".`,
      value,
    );
  };
