/* What one request takes from all its quotas, for the counts of this process and for a shared store; and what it is made of. */
import type { IncomingMessage } from 'node:http';
import type { RequestState } from '../common/request-state.js';
import { show } from '../common/show-value.js';
import type { Charge, QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import type { StoredCharge } from './store/quota-store.js';

export interface QuotaRequest {
  /** The partition key, as events name it. */
  readonly partitionKey: string;
  /** For the counts of this process. */
  readonly charges: readonly Charge[];
  /** For a shared store: the same policies in the same order. */
  readonly stored: readonly StoredCharge[];
}

/** The client of a decision, for events. */
export interface QuotaClient {
  readonly requestId?: string | undefined;
  readonly address?: string | undefined;
  readonly agent?: string | undefined;
}

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

export const isConcurrency = ({ rule }: Policy): boolean => rule === 'concurrency';

/** @throws RangeError for `NaN` and fractions, which would pass every comparison, and for everything else that is no cost */
export function checkCost(cost: unknown): number {
  if (typeof cost === 'number' && Number.isSafeInteger(cost) && cost >= 0) return cost;
  throw new RangeError(`A cost must be a whole number from 0, received ${show(cost)}`);
}

/** A partition key; `undefined` for an empty one. @throws TypeError for what is neither text nor a number */
export function checkPartitionKey(what: string, partitionKey: unknown): string | undefined {
  if (typeof partitionKey === 'string') return partitionKey === '' ? undefined : partitionKey;
  if (partitionKey === undefined || partitionKey === null) return undefined;
  if (typeof partitionKey === 'bigint' || (typeof partitionKey === 'number' && Number.isFinite(partitionKey)))
    return String(partitionKey);
  throw new TypeError(`${what} must be text, received ${show(partitionKey)}`);
}

/** Keeps denials by limits that depend on the client alone, so that the same request is denied before routing next time. */
export interface DenialKeeper {
  /** Sets `state.limits.keepDenial`, if the decision holds for every request like this one. */
  offer(raw: IncomingMessage, state: RequestState, decision: QuotaDecision, decidedMs: number): void;
}

export const DENIAL_KEEPER = Symbol('agent-security:denial-keeper');
