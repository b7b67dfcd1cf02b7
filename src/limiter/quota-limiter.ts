import type { QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import type { QuotaClient, QuotaRequest } from './quota-request.js';
import type { QuotaTable } from './table/quota-table.js';

/** Decides quotas by the app's counts: those of a shared store if there is one, else those of the process. */
export interface QuotaLimiter {
  createTable(policies: readonly Policy[]): QuotaTable;
  /** `undefined` while the shared store fails, unless the process's own counts stand in for it. */
  decide(quotaRequests: readonly QuotaRequest[]): Promise<{ readonly decision: QuotaDecision } | undefined>;
  /** Emits the events that a decision gives cause to. */
  emitEvents(quotaRequests: readonly QuotaRequest[], decision: QuotaDecision, quotaClient: QuotaClient): void;
}

export const QUOTA_LIMITER = Symbol('agent-security:quota-limiter');
