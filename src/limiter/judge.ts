/* One decision over any number of policies: either each grants and all are charged, or none is. */
import type { Key64 } from '../common/ip-address.js';
import type { Policy } from './policy.js';
import type { QuotaTable } from './table/quota-table.js';

/** What a request asks of one quota. */
export interface Charge {
  readonly table: QuotaTable;
  /** The policies of the table that take part, a bit each. */
  readonly mask: number;
  readonly key: Key64;
  /** Units, a whole number from 0. */
  readonly cost: number;
  /** Whether it was counted in the row that newcomers share where the table is full; found out when it is judged. */
  inSharedRow?: boolean;
}

/** How a policy stands after the decision. */
export interface Standing {
  readonly policy: Policy;
  /** Units left, 0 or more. */
  readonly remaining: number;
  /** Milliseconds until units return; for a violated policy, until this request would be granted. */
  readonly resetMs: number;
  /** Whether it could not give what was asked. A policy in shadow mode says so of a request that was granted. */
  readonly violated: boolean;
}

/** Whether a policy stands in the way of its request: one on trial never does. */
export const refuses = ({ violated, policy }: Standing): boolean => violated && !policy.shadow;

export interface Verdict {
  /** Whether every policy could give what was asked, those in shadow mode apart. */
  readonly granted: boolean;
  readonly standings: readonly Standing[];
}

export const EVERY_POLICY = -1;

export function judge(charges: readonly Charge[], nowMs: number): Verdict {
  return charges.length === 1 ? judgeOne(charges[0]!, nowMs) : judgeAll(charges, nowMs);
}

/** How a client stands; nothing is taken, and nobody is added. */
export function look({ table, mask, key }: Omit<Charge, 'cost'>, nowMs: number): Verdict {
  if (table.peek(key.hi, key.lo)) return judgeOne({ table, mask, key, cost: 0 }, nowMs);
  const standings = table.policies
    .filter((_policy, index) => (mask & (1 << index)) !== 0)
    .map(policy => ({ policy, remaining: policy.burst, resetMs: 0, violated: false }));
  return { granted: true, standings };
}

/** The usual case: one row, looked up once. */
function judgeOne(charge: Charge, nowMs: number): Verdict {
  const { table, mask, key, cost } = charge;
  table.find(key.hi, key.lo, nowMs);
  if (table.isShared) charge.inSharedRow = true;
  const granted = offers(table, mask, cost, nowMs);
  const standings: Standing[] = [];
  for (let policy = 0; policy < table.policies.length; policy++) {
    if ((mask & (1 << policy)) !== 0) standings.push(settle(table, policy, nowMs, cost, granted));
  }
  return { granted, standings };
}

function judgeAll(charges: readonly Charge[], nowMs: number): Verdict {
  let granted = true;
  for (const charge of charges) {
    const { table, mask, key, cost } = charge;
    table.find(key.hi, key.lo, nowMs);
    if (table.isShared) charge.inSharedRow = true;
    if (!offers(table, mask, cost, nowMs)) granted = false;
  }
  const standings: Standing[] = [];
  for (const { table, mask, key, cost } of charges) {
    // Found anew: another charge may have moved the rows of the same table.
    table.find(key.hi, key.lo, nowMs);
    offers(table, mask, cost, nowMs);
    for (let policy = 0; policy < table.policies.length; policy++) {
      if ((mask & (1 << policy)) !== 0) standings.push(settle(table, policy, nowMs, cost, granted));
    }
  }
  return { granted, standings };
}

/** Whether every policy can give `cost`; what each could give stays in `table.offered`. */
function offers(table: QuotaTable, mask: number, cost: number, nowMs: number): boolean {
  let enough = true;
  for (let policy = 0; policy < table.policies.length; policy++) {
    if ((mask & (1 << policy)) === 0) continue;
    const offered = table.available(policy, nowMs);
    table.offered[policy] = offered;
    if (offered < cost && !table.policies[policy]!.shadow) enough = false;
  }
  return enough;
}

function settle(table: QuotaTable, index: number, nowMs: number, cost: number, granted: boolean): Standing {
  const policy = table.policies[index]!;
  const offered = table.offered[index]!;
  const violated = offered < cost;
  if (granted && !violated) {
    if (cost > 0) table.charge(index, nowMs, cost);
    return { policy, remaining: offered - cost, resetMs: table.resetMs(index, nowMs), violated };
  }
  // Who only looks while in debt exceeds nothing.
  if (violated && cost > 0) table.refused(index, nowMs);
  return {
    policy,
    remaining: Math.max(0, offered),
    resetMs: violated ? table.waitMs(index, nowMs, cost) : table.resetMs(index, nowMs),
    violated,
  };
}

/** What a reservation turned out to cost. */
export interface Adjustment {
  /** Units more (above 0) or less (below) than were charged. */
  readonly units: number;
  readonly chargedMs: number;
}

/** Charges or gives back a difference, whatever the limits say: it has been spent, or it has not. */
export function adjust(
  charges: readonly Omit<Charge, 'cost'>[],
  { units, chargedMs }: Adjustment,
  nowMs: number,
): Verdict {
  const standings: Standing[] = [];
  for (const { table, mask, key, inSharedRow } of charges) {
    if (inSharedRow === true) {
      table.share();
    } else if (units <= 0 && !table.peek(key.hi, key.lo)) {
      // A client that is not there any more has nothing left in any window, so nothing is given back to it.
      standings.push(...look({ table, mask, key }, nowMs).standings);
      continue;
    } else {
      table.find(key.hi, key.lo, nowMs);
    }
    for (const [index, policy] of table.policies.entries()) {
      if ((mask & (1 << index)) === 0) continue;
      const before = table.available(index, nowMs);
      if (units < 0) table.refund(index, nowMs, -units, chargedMs);
      else if (units > 0) table.charge(index, nowMs, units);
      const remaining = Math.max(0, units === 0 ? before : table.available(index, nowMs));
      standings.push({ policy, remaining, resetMs: table.resetMs(index, nowMs), violated: false });
    }
  }
  return { granted: true, standings };
}
