import type { IncomingMessage } from 'node:http';
import type { RequestState } from '../common/request-state.js';
import type { QuotaDecision } from './consume.js';

/** Keeps denials by the module's own limits, so that the same request is denied before routing next time. */
export interface DenialKeeper {
  /** Sets `state.limits.keepDenial`, if the decision holds for every request like this one. */
  offer(raw: IncomingMessage, state: RequestState, decision: QuotaDecision, decidedMs: number): void;
}

export const DENIAL_KEEPER = Symbol('agent-security:denial-keeper');
