import type { QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';

/** What limits report to the telemetry. No method throws. */
export interface LimitProbe {
  /** Policies that the app declares. Others are made by a function of the app for one client. */
  declarePolicies(policies: readonly Policy[]): void;
  recordDecision(decision: QuotaDecision): void;
  /** A call of the shared store has ended. */
  recordStoreCall(durationMs: number, error?: 'timeout' | 'failed'): void;
}
