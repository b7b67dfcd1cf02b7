import type { Clock } from '../common/clock.js';
import type { Key64 } from '../common/ip-address.js';
import { consume, EVERY_POLICY, type QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import { QuotaTable } from './table/quota-table.js';

/** One limit that this process counts by itself, whatever store the app has: of an endpoint, or of what happens before routing. */
export class ProcessLimit {
  readonly #table: QuotaTable;

  /** @param maxClients how many partition keys have counts of their own */
  constructor(
    policy: Policy,
    maxClients: number,
    private readonly clock: Clock,
  ) {
    this.#table = new QuotaTable([policy], maxClients);
  }

  /** Takes one unit. */
  consume(key: Key64): QuotaDecision {
    const charge = { table: this.#table, mask: EVERY_POLICY, key, cost: 1 };
    return consume([charge], this.clock.monotonicMs());
  }
}
