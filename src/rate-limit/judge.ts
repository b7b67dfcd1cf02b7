/* One decision over any number of policies: either each grants and all are charged, or none is. */
import type { Key64 } from '../common/ip-address.js';
import type { Policy } from './policy.js';
import type { QuotaTable } from './quota-table.js';

/** What a request asks of one quota. */
export interface Charge {
  readonly table: QuotaTable;
  /** The policies of the table that take part, a bit each. */
  readonly mask: number;
  readonly key: Key64;
  /** Units, a whole number from 0. */
  readonly cost: number;
}

/** How a policy stands after the decision. */
export interface Standing {
  readonly policy: Policy;
  /** Units left, 0 or more. */
  readonly remaining: number;
  /** Milliseconds until units return; for a violated policy, until this request would be granted. */
  readonly resetMs: number;
  readonly violated: boolean;
}

export interface Verdict {
  readonly granted: boolean;
  readonly standings: readonly Standing[];
}

export const EVERY_POLICY = -1;

export function judge(charges: readonly Charge[], nowMs: number): Verdict {
  let granted = true;
  for (const { table, mask, key, cost } of charges) {
    table.find(key.hi, key.lo, nowMs);
    for (let policy = 0; policy < table.policies.length; policy++) {
      if ((mask & (1 << policy)) !== 0 && table.available(policy, nowMs) < cost) granted = false;
    }
  }
  const standings: Standing[] = [];
  for (const { table, mask, key, cost } of charges) {
    // Another charge may have moved rows of the same table.
    if (charges.length > 1) table.find(key.hi, key.lo, nowMs);
    for (let policy = 0; policy < table.policies.length; policy++) {
      if ((mask & (1 << policy)) !== 0) standings.push(settle(table, policy, nowMs, cost, granted));
    }
  }
  return { granted, standings };
}

function settle(table: QuotaTable, index: number, nowMs: number, cost: number, granted: boolean): Standing {
  const policy = table.policies[index]!;
  if (granted) {
    if (cost > 0) table.charge(index, nowMs, cost);
    const remaining = Math.max(0, table.available(index, nowMs));
    return { policy, remaining, resetMs: table.resetMs(index, nowMs), violated: false };
  }
  const available = table.available(index, nowMs);
  const violated = available < cost;
  if (violated) table.refused(index, nowMs);
  return {
    policy,
    remaining: Math.max(0, available),
    resetMs: violated ? table.waitMs(index, nowMs, cost) : table.resetMs(index, nowMs),
    violated,
  };
}
