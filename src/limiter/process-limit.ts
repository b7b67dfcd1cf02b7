import type { Clock } from '../common/clock.js';
import type { Key64 } from '../common/ip-address.js';
import { consume, EVERY_POLICY, type QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import { QuotaTable } from './table/quota-table.js';

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
