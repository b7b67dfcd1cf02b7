/* Checks and stages that a feature adds to the edge: they run for every request, before the framework routes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
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

/**
 * Handles some paths before routing, after the edge's checks: endpoints of the module itself, and endpoints that other
 * libraries mount, where no guard runs.
 */
export interface EdgeStage {
  /** Whether pages of every origin may send requests to the claimed paths. The stage answers their preflights. */
  readonly isOpenToOrigins?: boolean;
  /** Whether the stage handles a request. Called for every request, so it must be fast: usually a look-up of the path. */
  claims(raw: IncomingMessage): boolean;
  /** Whether the stage reads the body, with limits of its own. */
  readonly readsBody?: boolean;
  /**
   * Handles a request. It may read the body only after `state.requestBody()`, and must put back what the framework is to read.
   * @returns false if it has written the response (or will); true to pass the request on to the next stage and the framework
   */
  run(raw: IncomingMessage, response: ServerResponse, state: RequestState): boolean | Promise<boolean>;
  /** Whether pages of an origin that `cors` does not list may call the claimed paths. */
  allowsOrigin?(raw: IncomingMessage, origin: string): boolean;
  /** Writes the response of a claimed request that an edge check rejects, in the format of the stage's clients. */
  reject?(raw: IncomingMessage, response: ServerResponse, state: RequestState, fields: ProblemFields): void;
}

export const EDGE_STAGES = Symbol('agent-security:edge-stages');
