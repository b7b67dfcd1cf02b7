import type { IncomingMessage } from 'node:http';
import type { ProblemFields } from './problem.js';
import type { RequestState } from './request-state.js';

/** In place of a problem: the request is a preflight. The edge answers it. */
export const PREFLIGHT = 'preflight';

export type EdgeFinding = ProblemFields | typeof PREFLIGHT | undefined;

/** A check of every request before routing. It decides synchronously from the request's head, and may write to its part of the state. */
export interface EdgeCheck {
  /** Whether the check also runs for requests that an earlier check rejects. Its rejection then replaces the earlier one. */
  readonly countsAll?: boolean;
  /** @param method `UPGRADE` for a WebSocket handshake */
  check(raw: IncomingMessage, state: RequestState, method: string): EdgeFinding;
}

export const EDGE_CHECKS = Symbol('agent-security:edge-checks');
