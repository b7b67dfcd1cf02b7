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

export const isConcurrency = ({ algorithm }: Policy): boolean => algorithm === 'concurrency';

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
  /** Forgets all denials, so that each is decided again. */
  forget(): void;
}

export const DENIAL_KEEPER = Symbol('agent-security:denial-keeper');
