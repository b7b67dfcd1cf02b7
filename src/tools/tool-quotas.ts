/* The quota of one agent for one tool: in the shared store where there is one, else in this process's memory. */
import type { Clock } from '../common/clock.js';
import { hashKey } from '../rate-limit/hash-key.js';
import { EVERY_POLICY, judge, type Verdict } from '../rate-limit/judge.js';
import type { Policy } from '../rate-limit/policy.js';
import { QuotaTable } from '../rate-limit/quota-table.js';
import type { StoredCharge } from '../rate-limit/quota-store.js';
import type { StoreErrorPolicy } from '../rate-limit/rate-limit.options.js';
import type { Tool } from './tool.js';

export interface ToolQuotaSettings {
  readonly maxClients: number;
  readonly onStoreError: StoreErrorPolicy;
  /** Judges and counts, and refuses nobody. */
  readonly shadow: boolean;
  readonly headers: boolean;
}

/** A store behind its deadline: it never rejects, and gives no verdict where it fails. */
export interface SharedQuotas {
  judge(charges: readonly StoredCharge[]): Promise<Verdict | undefined>;
}

export class ToolQuotas {
  /** By the list of policies, which tools that one pattern declares have in common. */
  readonly #tables = new WeakMap<readonly Policy[], QuotaTable>();

  constructor(
    readonly settings: ToolQuotaSettings,
    private readonly clock: Clock,
    private readonly shared: SharedQuotas | undefined,
  ) {}

  /**
   * Takes one call from an owner's quota.
   * @returns `undefined` where the store fails and calls are to be let through without one; `'unavailable'` where they are not
   */
  async take({ name, policies }: Tool, owner: string): Promise<Verdict | 'unavailable' | undefined> {
    const key = `tool:${name}:${owner}`;
    if (this.shared !== undefined) {
      const verdict = await this.shared.judge([{ key, owner, policies, cost: 1 }]);
      if (verdict !== undefined) return verdict;
      if (this.settings.onStoreError === 'allow') return undefined;
      if (this.settings.onStoreError === 'deny') return 'unavailable';
    }
    const charge = { table: this.#tableOf(policies), mask: EVERY_POLICY, key: hashKey(key), cost: 1 };
    return judge([charge], this.clock.monotonicMs());
  }

  #tableOf(policies: readonly Policy[]): QuotaTable {
    let table = this.#tables.get(policies);
    if (table === undefined) {
      table = new QuotaTable(policies, this.settings.maxClients);
      this.#tables.set(policies, table);
    }
    return table;
  }
}
