/* Which agent may call which tool, and how often. No request and no Nest context: HTTP handlers and MCP calls are judged alike. */
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { addressBlock } from '../common/ip-address.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { QuotaClient } from '../limiter/quota-request.js';
import type { QuotaDecision } from '../limiter/consume.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { LIMITS_UNAVAILABLE } from '../limiter/limits-unavailable.js';
import type { Rejection } from '../common/rejection.js';
import { NameSet } from './name-pattern.js';
import { isSameTool, type Tool, UNDECLARED } from './tool.js';
import type { ToolQuotas } from './tool-quotas.js';
import { type IdentityRejections, NOT_ALLOWED, PLAIN_REJECTIONS } from './tool-rejections.js';
import type { ResolvedTools } from './tools.options.js';
import { UseTracker } from './use-tracker.js';

export interface ToolCall {
  readonly tool: string;
  /** Who calls; `undefined` where nobody has been verified. */
  readonly agent: Agent | undefined;
  /** The client's address, in its one spelling. */
  readonly address: string;
  readonly requestId?: string | undefined;
}

export type ToolRejection =
  'agent-required' | 'not-listed' | 'scope-missing' | 'over-limit' | 'store-failing';

export type ToolDecision =
  | {
      readonly allowed: true;
      readonly tool: Tool;
      /** How the agent's quota stands, for the answer: name and value in turn. */
      readonly headers: readonly string[];
    }
  | ({
      readonly allowed: false;
      readonly tool: Tool;
      readonly reason: ToolRejection;
    } & Rejection);

/** Longer names are no tool's, and would only fill memory. */
const MAX_NAME = 256;

export class ToolPolicy {
  readonly #tools = new Map<string, Tool>();
  /** Agents and addresses apart: a flood of addresses must not push agents out. */
  readonly #agents: UseTracker | undefined;
  readonly #addresses: UseTracker | undefined;
  /** The compiled lists of agents; an agent is made for each request, its list usually is not. */
  readonly #lists = new WeakMap<readonly string[], NameSet>();

  constructor(
    private readonly options: ResolvedTools | false,
    private readonly quotas: ToolQuotas,
    private readonly events: SecurityEvents,
    private readonly clock: Clock,
    private readonly rejections: IdentityRejections = PLAIN_REJECTIONS,
  ) {
    this.#agents = options === false ? undefined : new UseTracker(options);
    this.#addresses = options === false ? undefined : new UseTracker(options);
  }

  /**
   * Adds a tool that a handler declares; at start-up. One tool may have several handlers that declare the same.
   * @throws AgentSecurityConfigError for a second declaration that differs, or one beside the options'
   */
  define(tool: Tool, place: string): void {
    const known = this.#tools.get(tool.name);
    const isInOptions = this.options !== false && this.options.policies.hasExact(tool.name);
    if (isInOptions || (known !== undefined && !isSameTool(known, tool))) {
      throw new AgentSecurityConfigError(
        'ASEC_TOOL_TWICE',
        `@AgentTool("${tool.name}")`,
        `${isInOptions ? 'stands in tools.policies too' : 'is declared in two ways'}, received at ${place}`,
        'Declare a tool in one place, or alike on each of its handlers.',
        tool.name,
      );
    }
    if (known === undefined) this.#tools.set(tool.name, tool);
  }

  /** What is declared of a tool; of one that nobody declared, nothing. */
  toolOf(name: string): Tool {
    const declared =
      this.#tools.get(name) ?? (this.options === false ? undefined : this.options.policies.get(name));
    return declared?.name === name ? declared : { ...(declared ?? UNDECLARED), name };
  }

  /** Whether a list of tools may show this one to an agent. */
  isVisible(agent: Agent | undefined, name: string): boolean {
    return this.#rejection(agent, this.toolOf(name)) === undefined;
  }

  /** Decides on a call and, where it is allowed, consumes the agent's quota. Never throws because of what a client sent. */
  async authorize(call: ToolCall): Promise<ToolDecision> {
    const decision = this.checkAccess(call);
    return decision.allowed ? this.consume(call) : decision;
  }

  /** The first half of `authorize()`: whether the agent may call the tool at all. Consumes no quota. */
  checkAccess(call: ToolCall): ToolDecision {
    const tool = this.toolOf(call.tool);
    const reason = this.#rejection(call.agent, tool);
    if (reason === undefined) return { allowed: true, tool, headers: [] };
    return this.#reject(call, tool, reason, this.#answerTo(reason, tool));
  }

  /** The second half of `authorize()`: consumes the quota of a call that `checkAccess()` allowed. */
  async consume(call: ToolCall): Promise<ToolDecision> {
    const tool = this.toolOf(call.tool);
    if (this.options === false) return { allowed: true, tool, headers: [] };
    const partitionKey = partitionKeyOf(call);
    const isLimited = tool.policies.length > 0;
    const decision = isLimited ? await this.quotas.take(tool, partitionKey, quotaClientOf(call)) : undefined;
    if (decision === 'unavailable') {
      return this.#reject(call, tool, 'store-failing', LIMITS_UNAVAILABLE);
    }
    if (decision === undefined) {
      this.#noteUse(call, tool, partitionKey);
      return { allowed: true, tool, headers: [] };
    }
    const headers = quotaHeaders(decision, this.clock.epochMs(), this.quotas.settings.headers);
    if (!decision.granted) {
      return this.#reject(call, tool, 'over-limit', { problem: quotaProblem(decision), headers });
    }
    this.#noteUse(call, tool, partitionKey);
    this.#noteThresholds(call, tool, partitionKey, decision);
    return { allowed: true, tool, headers };
  }

  #rejection(
    agent: Agent | undefined,
    tool: Tool,
  ): 'agent-required' | 'not-listed' | 'scope-missing' | undefined {
    if (this.options === false) return undefined;
    const { allow, requireAgent } = this.options;
    if (agent === undefined && (requireAgent || tool.scopes.length > 0)) return 'agent-required';
    // A caller without a credential has no ID: of the entries, only "*" matches it.
    const isListed = allow === undefined || allow.get(agent?.id ?? '')?.has(tool.name) === true;
    if (
      !isListed ||
      tool.name.length > MAX_NAME ||
      (agent?.tools !== undefined && !this.#listOf(agent.tools).has(tool.name))
    ) {
      return 'not-listed';
    }
    return tool.scopes.every(scope => agent?.scopes.includes(scope)) ? undefined : 'scope-missing';
  }

  #answerTo(reason: 'agent-required' | 'not-listed' | 'scope-missing', { scopes }: Tool): Rejection {
    if (reason === 'not-listed') return NOT_ALLOWED;
    return reason === 'agent-required'
      ? this.rejections.missing
      : this.rejections.insufficientScope(scopes, []);
  }

  #listOf(names: readonly string[]): NameSet {
    let list = this.#lists.get(names);
    if (list === undefined) this.#lists.set(names, (list = new NameSet(names)));
    return list;
  }

  #reject(call: ToolCall, tool: Tool, reason: ToolRejection, { problem, headers }: Rejection): ToolDecision {
    this.events.emit({ type: 'tool.rejected', ...this.#context(call), reason, code: problem.code });
    const count = this.#trackerOf(call)?.deny(partitionKeyOf(call), this.clock.monotonicMs());
    if (count !== undefined)
      this.events.emit({ type: 'tool.denials', ...this.#context(call), count, reason });
    return { allowed: false, tool, reason, problem, headers };
  }

  #noteUse(call: ToolCall, tool: Tool, partitionKey: string): void {
    const noted = this.#trackerOf(call)?.use(partitionKey, tool.name, this.clock.monotonicMs());
    if (noted === undefined) return;
    if (noted.isFirst) {
      this.events.emit({
        type: 'tool.first-use',
        ...this.#context(call),
        impact: tool.impact,
        tools: noted.tools,
      });
    }
    if (noted.burst !== undefined)
      this.events.emit({ type: 'tool.burst', ...this.#context(call), ...noted.burst });
  }

  #noteThresholds(call: ToolCall, tool: Tool, partitionKey: string, decision: QuotaDecision): void {
    const nowMs = this.clock.monotonicMs();
    for (const [index, { policy, calls, threshold }] of tool.alerts.entries()) {
      const policyState = decision.policyStates.find(each => each.policy.name === policy.name);
      if (policyState === undefined || policyState.violated) continue;
      const used = policy.burst - policyState.remaining;
      // Passed by this call: where processes share the quota, one of them tells.
      if (used < calls || used - 1 >= calls) continue;
      if (this.#trackerOf(call)?.isNew(partitionKey, tool.name, index, policy.windowMs, nowMs)) {
        const { limit, windowMs } = policy;
        this.events.emit({
          type: 'tool.threshold',
          ...this.#context(call),
          threshold,
          used,
          limit,
          windowMs,
        });
      }
    }
  }

  #trackerOf(call: ToolCall): UseTracker | undefined {
    return call.agent === undefined ? this.#addresses : this.#agents;
  }

  #context(call: ToolCall): {
    timeMs: number;
    requestId: string | undefined;
    address: string;
    agent: string | undefined;
    tool: string;
  } {
    return {
      timeMs: this.clock.epochMs(),
      requestId: call.requestId,
      address: call.address,
      agent: call.agent?.id,
      tool: call.tool.slice(0, MAX_NAME),
    };
  }
}

function quotaClientOf({ requestId, address, agent }: ToolCall): QuotaClient {
  return { requestId, address, agent: agent?.id };
}

/** Whose quota a call takes from: the agent's, else its address's. */
function partitionKeyOf({ agent, address }: ToolCall): string {
  return agent === undefined ? `address:${addressBlock(address)}` : `agent:${agent.id}`;
}
