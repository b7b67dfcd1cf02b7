/* The quota of one agent for one tool, counted where every other quota is counted. */
import { joinKey } from '../common/join-key.js';
import type { Ask } from '../rate-limit/ask.js';
import { hashKey } from '../rate-limit/hash-key.js';
import { EVERY_POLICY, type Verdict } from '../rate-limit/judge.js';
import type { Policy } from '../rate-limit/policy.js';
import type { QuotaTable } from '../rate-limit/quota-table.js';
import type { StoreErrorPolicy } from '../rate-limit/rate-limit.options.js';
import type { Tool } from './tool.js';

export interface ToolQuotaSettings {
  readonly onStoreError: StoreErrorPolicy;
  /** Judges and counts, and refuses nobody. */
  readonly shadow: boolean;
  readonly headers: boolean;
}

/** What it needs of a RateLimiter. */
export interface QuotaJudge {
  createTable(policies: readonly Policy[]): QuotaTable;
  /** `undefined` while the shared store fails, unless the process's own counts stand in for it. */
  decide(asks: readonly Ask[]): Promise<{ readonly verdict: Verdict } | undefined>;
}

export class ToolQuotas {
  /** By the list of policies, which tools that one pattern declares have in common. */
  readonly #tables = new WeakMap<readonly Policy[], QuotaTable>();

  constructor(
    readonly settings: ToolQuotaSettings,
    private readonly judge: QuotaJudge,
  ) {}

  /**
   * Takes one call from an owner's quota.
   * @returns `undefined` where the store fails and calls are to be let through without one; `'unavailable'` where they are not
   */
  async take({ name, policies }: Tool, owner: string): Promise<Verdict | 'unavailable' | undefined> {
    const scope = joinKey('tool', name);
    const key = joinKey(scope, owner);
    const charge = { table: this.#tableOf(policies), mask: EVERY_POLICY, key: hashKey(key), cost: 1 };
    const decided = await this.judge.decide([
      { owner, charges: [charge], stored: [{ key, scope, owner, policies, cost: 1 }] },
    ]);
    if (decided === undefined) return this.settings.onStoreError === 'allow' ? undefined : 'unavailable';
    return decided.verdict;
  }

  #tableOf(policies: readonly Policy[]): QuotaTable {
    let table = this.#tables.get(policies);
    if (table === undefined) {
      table = this.judge.createTable(policies);
      this.#tables.set(policies, table);
    }
    return table;
  }
}
