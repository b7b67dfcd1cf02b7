/* The security events about calls of tools. */
import type { Clock } from '../common/clock.js';
import type { ProblemFields } from '../common/problem.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { QuotaDecision } from '../limiter/consume.js';
import type { Tool } from './tool.js';
import { type ToolCall, type ToolRejection } from './tool-decision.js';
import { partitionKeyOf } from './tool-quotas.js';
import { UseTracker } from './use-tracker.js';

/** Longer names are of no tool, and would only fill memory. */
export const MAX_TOOL_NAME = 256;

export class ToolEvents {
  /** Agents and addresses apart: a flood of addresses must not displace agents. */
  readonly #agents = new UseTracker();
  readonly #addresses = new UseTracker();

  constructor(
    private readonly events: SecurityEvents,
    private readonly clock: Clock,
  ) {}

  emitRejected(call: ToolCall, reason: ToolRejection, { code }: ProblemFields): void {
    const context = this.#contextOf(call);
    this.events.emit({ type: 'tool.rejected', ...context, reason, code });
    const count = this.#trackerOf(call).recordDenial(partitionKeyOf(call), this.clock.monotonicMs());
    if (count !== undefined) this.events.emit({ type: 'tool.denials', ...context, count, reason });
  }

  /** @param decision of the tool's quota, if it has one that was charged */
  emitUsed(call: ToolCall, tool: Tool, decision?: QuotaDecision): void {
    const nowMs = this.clock.monotonicMs();
    const tools = this.#trackerOf(call).recordUse(partitionKeyOf(call), tool.name, nowMs);
    if (tools !== undefined)
      this.events.emit({ type: 'tool.first-use', ...this.#contextOf(call), impact: tool.impact, tools });
    if (decision !== undefined) this.#emitThresholds(call, tool, decision, nowMs);
  }

  #emitThresholds(call: ToolCall, tool: Tool, { policyStates }: QuotaDecision, nowMs: number): void {
    for (const [index, { policy, calls, threshold }] of tool.alerts.entries()) {
      const policyState = policyStates.find(each => each.policy.name === policy.name);
      if (policyState === undefined || policyState.violated) continue;
      const used = policy.burst - policyState.remaining;
      // Passed by this call: of the processes that share the quota, one emits the event.
      if (used < calls || used - 1 >= calls) continue;
      const { limit, windowMs } = policy;
      if (!this.#trackerOf(call).startAlert(partitionKeyOf(call), tool.name, index, windowMs, nowMs))
        continue;
      const context = this.#contextOf(call);
      this.events.emit({ type: 'tool.threshold', ...context, threshold, used, limit, windowMs });
    }
  }

  #trackerOf({ agent }: ToolCall): UseTracker {
    return agent === undefined ? this.#addresses : this.#agents;
  }

  #contextOf({ requestId, address, agent, tool }: ToolCall) {
    return {
      timeMs: this.clock.epochMs(),
      requestId,
      address,
      agent: agent?.id,
      tool: tool.slice(0, MAX_TOOL_NAME),
    };
  }
}
