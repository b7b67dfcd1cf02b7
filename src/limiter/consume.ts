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
export interface PolicyState {
  readonly policy: Policy;
  /** Units left, 0 or more. */
  readonly remaining: number;
  /** Milliseconds until units return; for a violated policy, until this request would be granted. */
  readonly resetMs: number;
  /** Whether it could not give what was asked. A policy in shadow mode says so of a request that was granted. */
  readonly violated: boolean;
}

/** Whether a policy stands in the way of its request: one on trial never does. */
export const denies = ({ violated, policy }: PolicyState): boolean => violated && !policy.shadow;

export interface QuotaDecision {
  /** Whether every policy could give what was asked, those in shadow mode apart. */
  readonly granted: boolean;
  readonly policyStates: readonly PolicyState[];
}

export const EVERY_POLICY = -1;

export function consume(charges: readonly Charge[], nowMs: number): QuotaDecision {
  return charges.length === 1 ? consumeOne(charges[0]!, nowMs) : consumeAll(charges, nowMs);
}

/** How a client stands; nothing is taken, and nobody is added. */
export function peek({ table, mask, key }: Omit<Charge, 'cost'>, nowMs: number): QuotaDecision {
  if (table.peek(key.hi, key.lo)) return consumeOne({ table, mask, key, cost: 0 }, nowMs);
  const policyStates = table.policies
    .filter((_policy, index) => (mask & (1 << index)) !== 0)
    .map(policy => ({ policy, remaining: policy.burst, resetMs: 0, violated: false }));
  return { granted: true, policyStates };
}

/** The usual case: one row, looked up once. */
function consumeOne(charge: Charge, nowMs: number): QuotaDecision {
  const { table, mask, key, cost } = charge;
  table.find(key.hi, key.lo, nowMs);
  if (table.isShared) charge.inSharedRow = true;
  const granted = offers(table, mask, cost, nowMs);
  const policyStates: PolicyState[] = [];
  for (let policy = 0; policy < table.policies.length; policy++) {
    if ((mask & (1 << policy)) !== 0) policyStates.push(chargePolicy(table, policy, nowMs, cost, granted));
  }
  return { granted, policyStates };
}

function consumeAll(charges: readonly Charge[], nowMs: number): QuotaDecision {
  let granted = true;
  for (const charge of charges) {
    const { table, mask, key, cost } = charge;
    table.find(key.hi, key.lo, nowMs);
    if (table.isShared) charge.inSharedRow = true;
    if (!offers(table, mask, cost, nowMs)) granted = false;
  }
  const policyStates: PolicyState[] = [];
  for (const { table, mask, key, cost } of charges) {
    // Found anew: another charge may have moved the rows of the same table.
    table.find(key.hi, key.lo, nowMs);
    offers(table, mask, cost, nowMs);
    for (let policy = 0; policy < table.policies.length; policy++) {
      if ((mask & (1 << policy)) !== 0) policyStates.push(chargePolicy(table, policy, nowMs, cost, granted));
    }
  }
  return { granted, policyStates };
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

function chargePolicy(
  table: QuotaTable,
  index: number,
  nowMs: number,
  cost: number,
  granted: boolean,
): PolicyState {
  const policy = table.policies[index]!;
  const offered = table.offered[index]!;
  const violated = offered < cost;
  if (granted && !violated) {
    if (cost > 0) table.charge(index, nowMs, cost);
    return { policy, remaining: offered - cost, resetMs: table.resetMs(index, nowMs), violated };
  }
  // Who only looks while in debt exceeds nothing.
  if (violated && cost > 0) table.denied(index, nowMs);
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
): QuotaDecision {
  const policyStates: PolicyState[] = [];
  for (const { table, mask, key, inSharedRow } of charges) {
    if (inSharedRow === true) {
      table.share();
    } else if (units <= 0 && !table.peek(key.hi, key.lo)) {
      // A client that is not there any more has nothing left in any window, so nothing is given back to it.
      policyStates.push(...peek({ table, mask, key }, nowMs).policyStates);
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
      policyStates.push({ policy, remaining, resetMs: table.resetMs(index, nowMs), violated: false });
    }
  }
  return { granted: true, policyStates };
}
