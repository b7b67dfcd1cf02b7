/* A tool as it is declared, a call of one, and the decision on the call. */
import type { Agent } from '../common/agent.js';
import type { Impact } from '../common/impact.js';
import type { Rejection } from '../common/rejection.js';
import type { Policy } from '../limiter/policy.js';

/**
 * Emits an event once a window: when this many calls were counted under a policy of the tool.
 * @example
 * const calls = (tool: Tool) => tool.alerts.map((alert: ToolAlert) => `${alert.policy.text}: ${alert.calls}`);
 */
export interface ToolAlert {
  readonly policy: Policy;
  readonly calls: number;
  /** As it stands in `alertAt`. */
  readonly threshold: number;
}

/**
 * A tool as it is declared by `@AgentTool()` or `tools.policies`.
 * @example
 * const { impact, scopes }: Tool = toolPolicy.toolOf('delete_user');
 */
export interface Tool {
  readonly name: string;
  readonly policies: readonly Policy[];
  readonly alerts: readonly ToolAlert[];
  readonly scopes: readonly string[];
  readonly impact: Impact;
  readonly redact: readonly string[];
}

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
