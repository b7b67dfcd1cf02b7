import type { Agent } from '../common/agent.js';
import type { Rejection } from '../common/rejection.js';
import type { Tool } from './tool.js';

/**
 * A call of a tool, whatever its transport.
 * @example
 * const call: ToolCall = { tool: 'delete_user', agent, address: '192.0.2.1' };
 */
export interface ToolCall {
  readonly tool: string;
  /** The verified agent; `undefined` without a credential. */
  readonly agent: Agent | undefined;
  /** The client's address, in its one spelling. */
  readonly address: string;
  readonly requestId?: string | undefined;
}

/**
 * Why a call of a tool was rejected.
 * @example
 * const reason: ToolRejection = 'scope-missing';
 */
export type ToolRejection =
  'agent-required' | 'not-listed' | 'scope-missing' | 'over-limit' | 'store-failing';

/**
 * The decision on a call of a tool, with the response to a denied one.
 * @example
 * const decision: ToolDecision = await toolPolicy.authorize(call);
 * if (!decision.allowed) return decision.problem;
 */
export type ToolDecision =
  | {
      readonly allowed: true;
      readonly tool: Tool;
      /** The rate-limit headers of the agent's quota: name and value in turn. */
      readonly headers: readonly string[];
    }
  | ({ readonly allowed: false; readonly tool: Tool; readonly reason: ToolRejection } & Rejection);
