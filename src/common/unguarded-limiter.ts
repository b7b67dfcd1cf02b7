import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';
import type { ProblemFields } from './problem.js';
import type { RequestState } from './request-state.js';

/** What a message to an MCP endpoint is charged as: a call, or what a client sends to be able to call. */
export type McpMessageKind = 'call' | 'protocol';

/** An agent by its ID, or an address. */
export type LimitedClient = { readonly agent: string } | { readonly address: string };

/** Limits requests that end before `RateLimitGuard`. All members are optional, since a test may replace the guard by one without them. */
export interface UnguardedLimiter {
  /** Charges a request that failed before the guard (a 404, a missing credential, a malformed body) when its response's head is written. */
  chargeFailed?(state: RequestState): void;
  /** Charges such a request when its exception is handled. @returns the exception that replaces it, if the client is over its limit */
  limitUnguarded?(host: ArgumentsHost): unknown;
  /** Charges a request to an MCP endpoint. @returns the problem of the response, if the client is over its limit */
  limitMcpMessages?(
    raw: IncomingMessage,
    response: ServerResponse,
    kind: McpMessageKind,
    count: number,
  ): Promise<ProblemFields | undefined>;
  /**
   * Gives a client its units of the module's and the routes' limits back. Limits with a key of the app stay as they are.
   * @returns whether the shared store, if there is one, has reset them too
   */
  resetClient?(client: LimitedClient): Promise<boolean>;
}

export const UNGUARDED_LIMITER = Symbol('agent-security:unguarded-limiter');
