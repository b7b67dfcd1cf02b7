/* Tells an observer how the client of each limited request stands with its limits. The feature `dashboard` provides one. */
import type { RequestState } from './request-state.js';

/** The state of a limit after a decision. */
export interface ObservedLimit {
  readonly policy: { readonly name: string; readonly burst: number };
  readonly remaining: number;
  /** Milliseconds until units return. */
  readonly resetMs: number;
  readonly violated: boolean;
}

/** Called for every limited request, so it must be fast. */
export type ObserveQuota = (client: RequestState, limits: readonly ObservedLimit[]) => void;

/** The observer; `undefined` for none. */
export const OBSERVE_QUOTA = Symbol('agent-security:observe-quota');
