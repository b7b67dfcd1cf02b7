/* One limit that is counted in this process even if the app has a shared store: of an endpoint, or before routing. */
import type { Clock } from '../common/clock.js';
import type { Key64 } from '../common/ip-address.js';
import type { ReadOption } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';
import { consume, EVERY_POLICY, type QuotaDecision } from './consume.js';
import type { LimitProbe } from './limit-probe.js';
import { parseLimits } from './parse-limits.js';
import type { Policy } from './policy.js';
import { QuotaTable } from './table/quota-table.js';
import { createPolicy } from './create-policy.js';

export class ProcessLimit {
  readonly #table: QuotaTable;

  /** @param maxClients how many partition keys it holds in memory */
  constructor(
    policy: Policy,
    maxClients: number,
    private readonly clock: Clock,
    private readonly probe?: LimitProbe,
  ) {
    this.#table = new QuotaTable([policy], maxClients);
    probe?.declarePolicies([policy]);
  }

  /** Consumes one unit. */
  consume(key: Key64): QuotaDecision {
    const charge = { table: this.#table, mask: EVERY_POLICY, key, cost: 1 };
    const decision = consume([charge], this.clock.monotonicMs());
    this.probe?.recordDecision(decision);
    return decision;
  }
}

/** A reader of an option that holds one limit, as a policy of the given name. @param expected what the option takes, for errors */
export const singleLimit =
  (name: string, fallback: string, expected = 'one limit'): ReadOption<Policy> =>
  (option, value = fallback) => {
    const [parsed, ...others] = typeof value === 'string' ? parseLimits(option, value) : [];
    if (parsed !== undefined && others.length === 0)
      return createPolicy({ name, limit: parsed.limit, windowMs: parsed.windowMs });
    const remedy = `Write for example "${fallback}".`;
    throw receivedError('ASEC_OPTION_TYPE', option, `must be ${expected}`, remedy, value);
  };
