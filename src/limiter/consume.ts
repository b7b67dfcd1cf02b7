/* One decision over any number of policies: either all of them grant and are charged, or none is charged. */
import type { Key64 } from '../common/ip-address.js';
import type { Policy } from './policy.js';
import { areAlike } from './table/carry-over.js';
import type { QuotaTable } from './table/quota-table.js';

/** The table that counts a client of a dynamic limit at the moment. */
export interface CurrentTable {
  readonly table: QuotaTable;
  /** Since when the client is known without a gap, on the monotonic clock. Earlier charges are not part of the counts. */
  readonly knownSinceMs: number;
  /** When the counts were carried over to this table. */
  readonly movedMs: number;
}

/** The units that a request takes from one quota. */
export interface Charge {
  readonly table: QuotaTable;
  /** The policies of the table that take part, one bit each. */
  readonly mask: number;
  readonly key: Key64;
  /** Units, a whole number from 0. */
  readonly cost: number;
  /** Finds the table that counts the client now, for a dynamic limit. */
  readonly currentTable?: () => CurrentTable | undefined;
  /** Whether `consume` counted it in the row that new clients share while the table is full. */
  inSharedRow?: boolean;
}

/**
 * The state of a policy after a decision, as a `QuotaStore` returns it.
 * @example
 * const state: PolicyState = { policy, remaining: 4, resetMs: 60_000, violated: false };
 */
export interface PolicyState {
  readonly policy: Policy;
  /** Units left, 0 or more. */
  readonly remaining: number;
  /** Milliseconds until units return; for a violated policy, until this request would be granted. */
  readonly resetMs: number;
  /** Whether too few units were left. True in shadow mode too, where the request is granted all the same. */
  readonly violated: boolean;
}

/** Whether a policy denies the request. In shadow mode it never does. */
export const denies = ({ violated, policy }: PolicyState): boolean => violated && !policy.shadow;

/**
 * A decision over all policies of a request, as a `QuotaStore` returns it.
 * @example
 * const decision: QuotaDecision = { granted: true, policyStates: [{ policy, remaining: 4, resetMs: 60_000, violated: false }] };
 */
export interface QuotaDecision {
  /** Whether no policy denies the request. */
  readonly granted: boolean;
  readonly policyStates: readonly PolicyState[];
}

export const EVERY_POLICY = -1;

/** Decides over all charges, and makes them if no policy denies the request. */
export function consume(charges: readonly Charge[], nowMs: number): QuotaDecision {
  return charges.length === 1 ? consumeOne(charges[0]!, nowMs) : consumeAll(charges, nowMs);
}

/** Reads the state of a client: takes nothing and adds no row. */
export function peek({ table, mask, key }: Omit<Charge, 'cost'>, nowMs: number): QuotaDecision {
  if (table.peek(key.hi, key.lo)) return consumeOne({ table, mask, key, cost: 0 }, nowMs);
  const policyStates = table.policies
    .filter((_policy, index) => (mask & (1 << index)) !== 0)
    .map(policy => ({ policy, remaining: policy.burst, resetMs: 0, violated: false }));
  return { granted: true, policyStates };
}

/** The usual case: one row, found once. */
function consumeOne(charge: Charge, nowMs: number): QuotaDecision {
  const { table, mask, key, cost } = charge;
  table.find(key.hi, key.lo, nowMs);
  if (table.isShared) charge.inSharedRow = true;
  const granted = hasUnits(table, mask, cost, nowMs);
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
    if (!hasUnits(table, mask, cost, nowMs)) granted = false;
  }
  const policyStates: PolicyState[] = [];
  for (const { table, mask, key, cost } of charges) {
    // Found anew: another charge may have moved the rows of the same table.
    table.find(key.hi, key.lo, nowMs);
    hasUnits(table, mask, cost, nowMs);
    for (let policy = 0; policy < table.policies.length; policy++) {
      if ((mask & (1 << policy)) !== 0) policyStates.push(chargePolicy(table, policy, nowMs, cost, granted));
    }
  }
  return { granted, policyStates };
}

/** Whether every policy has `cost` units left. Writes the units that each has left to `table.offered`. */
function hasUnits(table: QuotaTable, mask: number, cost: number, nowMs: number): boolean {
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
  // A request that costs nothing exceeds nothing, also while the client is in debt.
  if (violated && cost > 0) table.denied(index, nowMs);
  return {
    policy,
    remaining: Math.max(0, offered),
    resetMs: violated ? table.waitMs(index, nowMs, cost) : table.resetMs(index, nowMs),
    violated,
  };
}

interface Adjustment {
  /** Units to charge (above 0) or to give back (below 0). */
  readonly units: number;
  /** When the units to give back were charged. */
  readonly chargedMs: number;
}

/** Charges or gives back the difference between an estimate and the actual cost. No policy denies it, since the cost is spent already. */
export function adjust(
  charges: readonly Omit<Charge, 'cost'>[],
  { units, chargedMs }: Adjustment,
  nowMs: number,
): QuotaDecision {
  const policyStates: PolicyState[] = [];
  for (const charge of charges) {
    const { key } = charge;
    const { table, mask, movedMs, knownSinceMs } = countedIn(charge);
    if (charge.inSharedRow === true) {
      table.share();
    } else if (units <= 0 && !table.peek(key.hi, key.lo)) {
      // A client without a row has nothing left in any window: there is nothing to give back.
      policyStates.push(...peek({ table, mask, key }, nowMs).policyStates);
      continue;
    } else {
      table.find(key.hi, key.lo, nowMs);
    }
    for (const [index, policy] of table.policies.entries()) {
      if ((mask & (1 << index)) === 0) continue;
      const before = table.available(index, nowMs);
      if (units > 0) table.charge(index, nowMs, units);
      // The amount that was carried over does not show single estimates: they stay charged. Leases began anew with it, but for
      // those that had ended by themselves.
      else if (units < 0 && (chargedMs >= movedMs || isHeld(policy, chargedMs, knownSinceMs, nowMs)))
        table.refund(index, nowMs, -units, Math.max(chargedMs, movedMs));
      const remaining = Math.max(0, units === 0 ? before : table.available(index, nowMs));
      policyStates.push({ policy, remaining, resetMs: table.resetMs(index, nowMs), violated: false });
    }
  }
  return { granted: true, policyStates };
}

/** Whether it is a lease that is held now: it was carried over with the client's limit, and has not ended by itself. */
const isHeld = (policy: Policy, chargedMs: number, knownSinceMs: number, nowMs: number): boolean =>
  policy.algorithm === 'concurrency' && chargedMs >= knownSinceMs && nowMs - chargedMs < policy.windowMs;

/** Where a charge counts now: in the table of the client's current limit, if that has a policy to count it. */
function countedIn({
  table,
  mask,
  currentTable,
  inSharedRow,
}: Omit<Charge, 'cost'>): CurrentTable & { readonly mask: number } {
  const now = inSharedRow === true ? undefined : currentTable?.();
  if (now === undefined || now.table === table)
    return { table, mask, movedMs: -Infinity, knownSinceMs: -Infinity };
  let alike = 0;
  for (const [index, policy] of now.table.policies.entries())
    if (table.policies.some((old, bit) => (mask & (1 << bit)) !== 0 && areAlike(old, policy)))
      alike |= 1 << index;
  return alike === 0 ? { table, mask, movedMs: -Infinity, knownSinceMs: -Infinity } : { ...now, mask: alike };
}
