import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProblemFields } from './problem.js';
import type { RequestState } from './request-state.js';

/**
 * What answers or judges some paths before routing, behind the edge's own checks: endpoints of the module's own, and
 * endpoints that other libraries mount where no guard runs.
 */
export interface EdgeStage {
  /** Whether pages of every origin may send to what it claims; it answers their preflights itself. */
  readonly isOpenToOrigins?: boolean;
  /** Asked for every request, so it must be quick: usually a look-up of the path. */
  claims(raw: IncomingMessage): boolean;
  /** Whether it reads the body, and judges it by stricter rules than the module's. */
  readonly readsBody?: boolean;
  /**
   * @returns false if it has answered (or will); true if the request may go on to the next stage and the framework.
   * It may read the body only after `state.askForBody()`, and must put back what the framework is to read.
   */
  run(raw: IncomingMessage, response: ServerResponse, state: RequestState): boolean | Promise<boolean>;
  /** Whether pages of an origin that `cors` does not list may call what the stage claims. */
  allowsOrigin?(raw: IncomingMessage, origin: string): boolean;
  /** Answers a request of the stage's that the edge's own checks refuse, in the form that its clients read. */
  reject?(raw: IncomingMessage, response: ServerResponse, state: RequestState, fields: ProblemFields): void;
}

export const EDGE_STAGES = Symbol('agent-security:edge-stages');
