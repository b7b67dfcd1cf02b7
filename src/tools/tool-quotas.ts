/* The quota of one agent for one tool, counted where every other quota is counted. */
import { joinKey } from '../common/join-key.js';
import type { QuotaClient } from '../limiter/quota-request.js';
import { hashKey } from '../common/hash-key.js';
import { EVERY_POLICY, type QuotaDecision } from '../limiter/consume.js';
import { inShadowMode, type Policy } from '../limiter/policy.js';
import type { QuotaLimiter } from '../limiter/quota-limiter.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import type { StoreErrorPolicy } from '../rate-limit/rate-limit.options.js';
import type { Tool } from './tool.js';

export interface ToolQuotaSettings {
  readonly onStoreError: StoreErrorPolicy;
  /** Judges and counts, and refuses nobody. */
  readonly shadow: boolean;
  readonly headers: boolean;
}

export class ToolQuotas {
  /** By the list of policies, which tools that one pattern declares have in common. */
  readonly #tables = new WeakMap<readonly Policy[], QuotaTable>();

  constructor(
    readonly settings: ToolQuotaSettings,
    private readonly limiter: QuotaLimiter,
  ) {}

  /**
   * Takes one call from an owner's quota.
   * @returns `undefined` where the store fails and calls are to be let through without one; `'unavailable'` where they are not
   */
  async take(
    tool: Tool,
    partitionKey: string,
    quotaClient: QuotaClient,
  ): Promise<QuotaDecision | 'unavailable' | undefined> {
    const { name } = tool;
    const table = this.#tableOf(tool.policies);
    const { policies } = table;
    const scope = joinKey('tool', name);
    const key = joinKey(scope, partitionKey);
    const charge = { table, mask: EVERY_POLICY, key: hashKey(key), cost: 1 };
    const quotaRequests = [
      { partitionKey, charges: [charge], stored: [{ key, scope, partitionKey, policies, cost: 1 }] },
    ];
    const decided = await this.limiter.decide(quotaRequests);
    if (decided === undefined) return this.settings.onStoreError === 'allow' ? undefined : 'unavailable';
    this.limiter.emitEvents(quotaRequests, decided.decision, quotaClient);
    return decided.decision;
  }

  #tableOf(policies: readonly Policy[]): QuotaTable {
    let table = this.#tables.get(policies);
    if (table === undefined) {
      table = this.limiter.createTable(this.settings.shadow ? inShadowMode(policies) : policies);
      this.#tables.set(policies, table);
    }
    return table;
  }
}
