/* The quota of a caller for a tool, counted where all quotas are counted: in the shared store, else in this process. */
import { addressBlock } from '../common/ip-address.js';
import { joinKey } from '../common/join-key.js';
import { inShadowMode, type Policy } from '../limiter/policy.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import { consumeUnit, type SharedDecision } from '../limiter/shared-limit.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import type { Tool, ToolCall } from './tool.js';

export class ToolQuotas {
  /** By the list of policies, which tools that one pattern declares have in common. */
  readonly #tables = new WeakMap<readonly Policy[], QuotaTable>();

  constructor(
    readonly settings: Pick<ResolvedRateLimit, 'shadow' | 'headers'>,
    private readonly engine: Pick<QuotaEngine, 'createTable' | 'decide' | 'once' | 'settings'>,
  ) {}

  /** As `QuotaEngine.once`. */
  once(key: string, ttlMs: number, act: () => void): void {
    this.engine.once(key, ttlMs, act);
  }

  /**
   * Consumes one call of a caller's quota.
   * @returns if the store fails: `undefined` where calls are then allowed, else `'unavailable'`
   */
  consume(tool: Tool, call: ToolCall): Promise<SharedDecision> {
    const { requestId, address, agent } = call;
    const place = {
      table: this.#tableOf(tool.policies),
      scope: joinKey('tool', tool.name),
      partitionKey: partitionKeyOf(call),
    };
    return consumeUnit(this.engine, place, { requestId, address, agent: agent?.id });
  }

  #tableOf(policies: readonly Policy[]): QuotaTable {
    let table = this.#tables.get(policies);
    if (table === undefined) {
      table = this.engine.createTable(this.settings.shadow ? inShadowMode(policies) : policies);
      this.#tables.set(policies, table);
    }
    return table;
  }
}

/** Whose quota a call consumes: the agent's, else its address's. */
export function partitionKeyOf({ agent, address }: Pick<ToolCall, 'agent' | 'address'>): string {
  return agent === undefined ? `address:${addressBlock(address)}` : `agent:${agent.id}`;
}

type Pairs = readonly string[];

const LISTS = new Set(['RateLimit', 'RateLimit-Policy']);

/** Joins the rate-limit headers of two quotas: the lists of both, and `X-RateLimit-*` of the one with less left. */
export function joinQuotas(one: Pairs | undefined, other: Pairs): Pairs {
  if (one === undefined || one.length === 0) return other;
  if (other.length === 0) return one;
  const tighter = remaining(other) < remaining(one) ? other : one;
  return tighter.map((text, index) => {
    const name = tighter[index - 1];
    if (index % 2 === 0 || !LISTS.has(name!)) return text;
    return [valueOf(one, name!), valueOf(other, name!)].filter(value => value !== undefined).join(', ');
  });
}

const remaining = (pairs: Pairs): number => Number(valueOf(pairs, 'X-RateLimit-Remaining') ?? Infinity);

function valueOf(pairs: Pairs, name: string): string | undefined {
  const index = pairs.indexOf(name);
  return index === -1 ? undefined : pairs[index + 1];
}
