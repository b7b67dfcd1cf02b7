/* Moves what a client has used from the table of its old limit to the table of its new one, when a dynamic limit changes. */
import type { Key64 } from '../../common/ip-address.js';
import { createAlgorithm } from '../algorithms/create-algorithm.js';
import type { Policy } from '../policy.js';
import { Chunk } from './quota-rows.js';
import type { QuotaTable } from './quota-table.js';

/** More than the rounding error of a sum of fractions of milliseconds. */
const ROUNDING_MS = 1e-5;

/**
 * Carries the used amount over as one charge, and deletes the client's row in the old table. The charge is as old as its newest part, so
 * that nothing of it is granted again early and frequent changes do not make it younger. What is approximate: older parts of it leave the
 * window with the newest one, that is later than they would have.
 */
export function carryOver(from: QuotaTable, to: QuotaTable, { hi, lo }: Key64, nowMs: number): void {
  if (!from.peek(hi, lo)) return;
  const used = to.policies.map(() => ({ units: 0, chargedMs: nowMs }));
  for (const [index, policy] of from.policies.entries()) {
    const units = policy.burst - from.available(index, nowMs);
    const chargedMs = nowMs - ageMs(from, index, nowMs);
    for (const [heir, other] of to.policies.entries())
      if (areAlike(policy, other) && units > used[heir]!.units) used[heir] = { units, chargedMs };
  }
  if (used.every(({ units }) => units === 0)) return;
  from.delete(hi, lo);
  to.find(hi, lo, nowMs);
  for (const [heir, { units, chargedMs }] of used.entries()) {
    to.available(heir, nowMs);
    if (units > 0) to.charge(heir, chargedMs, units);
  }
}

/** Whether a policy counts on what another one has counted. */
export const areAlike = (one: Policy, other: Policy): boolean =>
  one.windowMs === other.windowMs && one.algorithm === other.algorithm && one.unit === other.unit;

/** How long ago the newest part of what is used was charged. */
function ageMs(table: QuotaTable, index: number, nowMs: number): number {
  const policy = table.policies[index]!;
  // A bucket has no parts, it refills from where it is. Leases begin anew, so that all of them are released where they are counted.
  if (policy.algorithm === 'token-bucket' || policy.algorithm === 'concurrency') return 0;
  const untilEmptyMs = table.waitMs(index, nowMs, policy.burst);
  // A sliding window counts by spans of time: a rounding error must not move a charge into an earlier one.
  const roundingMs = policy.algorithm === 'fixed-window' ? 0 : ROUNDING_MS;
  return Math.max(0, lifetimeMs(policy) - untilEmptyMs - roundingMs);
}

/** How long a charge counts that is made at the beginning of the span of time to which the algorithm rounds. */
function lifetimeMs(policy: Policy): number {
  const algorithm = createAlgorithm(policy);
  const cells = new Chunk(algorithm.cells + (algorithm.cells % 2));
  algorithm.charge(cells, 0, 0, 1);
  return algorithm.resetMs(cells, 0, 0);
}
