/* A tool as it is declared by a handler or in the options. */
import type { Impact } from '../common/impact.js';
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

/** A tool that is not declared. */
export const UNDECLARED: Tool = { name: '', policies: [], alerts: [], scopes: [], impact: 'low', redact: [] };

/** Whether two declarations say the same. */
export function isSameTool(one: Tool, other: Tool): boolean {
  const text = ({ policies, alerts, ...rest }: Tool): string =>
    JSON.stringify([rest, policies.map(plain), alerts.map(({ threshold }) => threshold)]);
  return text(one) === text(other);
}

const plain = ({ name, limit, windowMs, rule, burst }: Policy): unknown => [
  name,
  limit,
  windowMs,
  rule,
  burst,
];
