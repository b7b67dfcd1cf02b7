/* The part of a quota request that concerns some policies. */
import type { Charge, QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import type { QuotaRequest } from './quota-request.js';

type PolicyFilter = (policy: Policy) => boolean;

/** The policies of a charge, in the order of their states. */
export function policiesOf({ table, mask }: Pick<Charge, 'table' | 'mask'>): readonly Policy[] {
  return table.policies.filter((_policy, index) => (mask & (1 << index)) !== 0);
}

/** The bits of a mask whose policies are wanted. */
export function restrictMask(
  { table, mask }: Pick<Charge, 'table' | 'mask'>,
  isWanted: PolicyFilter,
): number {
  let wanted = 0;
  for (const [index, policy] of table.policies.entries())
    if ((mask & (1 << index)) !== 0 && isWanted(policy)) wanted |= 1 << index;
  return wanted;
}

/** The same request of some policies only; `undefined` if it takes nothing from them. */
export function restrict(quotaRequest: QuotaRequest, isWanted: PolicyFilter): QuotaRequest | undefined {
  const charges = quotaRequest.charges.flatMap(charge => {
    const mask = restrictMask(charge, isWanted);
    return mask === 0 ? [] : [{ ...charge, mask }];
  });
  if (charges.length === 0) return undefined;
  const stored = quotaRequest.stored.flatMap(charge => {
    const policies = charge.policies.filter(isWanted);
    return policies.length === 0 ? [] : [{ ...charge, policies }];
  });
  return { partitionKey: quotaRequest.partitionKey, charges, stored };
}

export function restrictAll(
  quotaRequests: readonly (QuotaRequest | undefined)[],
  isWanted: PolicyFilter,
): readonly QuotaRequest[] {
  return quotaRequests.flatMap(quotaRequest => (quotaRequest && restrict(quotaRequest, isWanted)) ?? []);
}

/**
 * What a granted decision has taken for each request: nothing from a policy in shadow mode that had too few units, so that nothing is given
 * back to it. `undefined` for a request that has taken nothing.
 */
export function takenBy(
  { policyStates }: QuotaDecision,
  quotaRequests: readonly QuotaRequest[],
): readonly (QuotaRequest | undefined)[] {
  const violated = new Set(policyStates.filter(state => state.violated).map(({ policy }) => policy));
  if (violated.size === 0) return quotaRequests;
  return quotaRequests.map(quotaRequest => restrict(quotaRequest, policy => !violated.has(policy)));
}
