import type { QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import type { QuotaClient, QuotaRequest } from './quota-request.js';
import type { QuotaTable } from './table/quota-table.js';

/** What happens to a request while the shared store fails. */
export const STORE_ERROR_POLICIES = ['local', 'allow', 'deny'] as const;
/**
 * What happens to requests while the shared store fails: `'local'` counts in this process, `'allow'` grants them, `'deny'` denies them
 * with 503.
 * @example
 * const onStoreError: StoreErrorPolicy = 'local';
 */
export type StoreErrorPolicy = (typeof STORE_ERROR_POLICIES)[number];

/** Decides quotas by the counts of the app: those of the shared store if there is one, else those of this process. */
export interface QuotaLimiter {
  createTable(policies: readonly Policy[]): QuotaTable;
  /** @returns `undefined` while the shared store fails, unless the counts of this process stand in for it */
  decide(quotaRequests: readonly QuotaRequest[]): Promise<{ readonly decision: QuotaDecision } | undefined>;
  /** Emits the events of a decision: thresholds that were reached, denials in shadow mode. */
  emitEvents(quotaRequests: readonly QuotaRequest[], decision: QuotaDecision, quotaClient: QuotaClient): void;
}

/** The `QuotaEngine` of the app. */
export const QUOTA_LIMITER = Symbol('agent-security:quota-limiter');
