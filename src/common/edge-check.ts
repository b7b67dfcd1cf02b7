import type { IncomingMessage } from 'node:http';
import type { ProblemFields } from './problem.js';
import type { RequestState } from './request-state.js';

/** In place of a problem: the request is a preflight, which is answered and goes no further. */
export const PREFLIGHT = 'preflight';

export type EdgeFinding = ProblemFields | typeof PREFLIGHT | undefined;

/** One check of every request before routing. It decides at once, from the head alone, and may note in the state what it found. */
export interface EdgeCheck {
  /** Whether it also runs for requests that an earlier check rejects, and its own rejection is then the answer. */
  readonly countsAll?: boolean;
  /** @param method `UPGRADE` for a WebSocket handshake */
  check(raw: IncomingMessage, state: RequestState, method: string): EdgeFinding;
}

export const EDGE_CHECKS = Symbol('agent-security:edge-checks');
