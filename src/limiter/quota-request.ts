/* What a request asks of all its quotas, in the two forms in which it may be judged. */
import { show } from '../common/show-value.js';
import type { Charge, QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import type { StoredCharge } from './store/quota-store.js';

export interface QuotaRequest {
  /** Whose quota it is, as events name it. */
  readonly partitionKey: string;
  /** Of the process's own counts. */
  readonly charges: readonly Charge[];
  /** Of a shared store: the same policies in the same order. */
  readonly stored: readonly StoredCharge[];
}

/** Who was asked about, for events. */
export interface QuotaClient {
  readonly requestId?: string | undefined;
  readonly address?: string | undefined;
  readonly agent?: string | undefined;
}

/** The policies of a charge, in the order of its standings. */
export function policiesOf({ table, mask }: Charge): readonly Policy[] {
  return table.policies.filter((_policy, index) => (mask & (1 << index)) !== 0);
}

/** The same of some policies only; `undefined` if it asks nothing of them. */
export function part(
  quotaRequest: QuotaRequest,
  isWanted: (policy: Policy) => boolean,
): QuotaRequest | undefined {
  const charges = quotaRequest.charges.flatMap(charge => {
    let mask = 0;
    for (const [index, policy] of charge.table.policies.entries())
      if ((charge.mask & (1 << index)) !== 0 && isWanted(policy)) mask |= 1 << index;
    return mask === 0 ? [] : [{ ...charge, mask }];
  });
  if (charges.length === 0) return undefined;
  const stored = quotaRequest.stored.flatMap(charge => {
    const policies = charge.policies.filter(isWanted);
    return policies.length === 0 ? [] : [{ ...charge, policies }];
  });
  return { partitionKey: quotaRequest.partitionKey, charges, stored };
}

export function parts(
  quotaRequests: readonly (QuotaRequest | undefined)[],
  isWanted: (policy: Policy) => boolean,
): readonly QuotaRequest[] {
  return quotaRequests.flatMap(quotaRequest => (quotaRequest && part(quotaRequest, isWanted)) ?? []);
}

/**
 * What a granted decision has taken of each ask: a policy on trial that could not give has taken nothing, and gets nothing back.
 * `undefined` for an ask of which nothing was taken.
 */
export function takenOf(
  quotaRequests: readonly QuotaRequest[],
  { policyStates }: QuotaDecision,
): readonly (QuotaRequest | undefined)[] {
  if (!policyStates.some(({ violated }) => violated)) return quotaRequests;
  let at = 0;
  return quotaRequests.map(quotaRequest => {
    const took = new Set<Policy>();
    for (const policy of quotaRequest.charges.flatMap(charge => policiesOf(charge))) {
      const policyState = policyStates[at];
      // A store may leave out how a policy stands that was charged nothing.
      if (policyState?.policy === policy) at++;
      if (policyState?.policy !== policy || !policyState.violated) took.add(policy);
    }
    return part(quotaRequest, policy => took.has(policy));
  });
}

export const isConcurrency = ({ rule }: Policy): boolean => rule === 'concurrency';

/** `NaN` and fractions would slip through every comparison; they are refused instead. */
export function checkCost(cost: unknown): number {
  if (typeof cost === 'number' && Number.isSafeInteger(cost) && cost >= 0) return cost;
  throw new RangeError(`A cost must be a whole number from 0, received ${show(cost)}`);
}

/** Text that names an owner; `undefined` where it names nobody. @throws TypeError for what is neither text nor a number */
export function checkPartitionKey(what: string, partitionKey: unknown): string | undefined {
  if (typeof partitionKey === 'string') return partitionKey === '' ? undefined : partitionKey;
  if (partitionKey === undefined || partitionKey === null) return undefined;
  if (typeof partitionKey === 'bigint' || (typeof partitionKey === 'number' && Number.isFinite(partitionKey)))
    return String(partitionKey);
  throw new TypeError(`${what} must be text, received ${show(partitionKey)}`);
}
