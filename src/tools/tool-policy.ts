/* Which agent may call which tool, and how often. No request and no Nest context: HTTP handlers and MCP calls are judged alike. */
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { addressBlock } from '../common/ip-address.js';
import type { ProblemFields } from '../common/problem.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { Asker } from '../rate-limit/ask.js';
import type { Verdict } from '../limiter/judge.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { NameSet } from './name-pattern.js';
import { isSameTool, type Tool, UNDECLARED } from './tool.js';
import type { ToolQuotas } from './tool-quotas.js';
import {
  type IdentityRefusals,
  NOT_ALLOWED,
  PLAIN_REFUSALS,
  type Refusal,
  STORE_FAILING,
} from './tool-refusals.js';
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

export type ToolRefusal = 'agent-required' | 'not-listed' | 'scope-missing' | 'over-limit' | 'store-failing';

export type ToolDecision =
  | {
      readonly allowed: true;
      readonly tool: Tool;
      /** How the agent's quota stands, for the answer: name and value in turn. */
      readonly headers: readonly string[];
    }
  | {
      readonly allowed: false;
      readonly tool: Tool;
      readonly reason: ToolRefusal;
      readonly problem: ProblemFields;
      readonly headers: readonly string[];
    };

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
    private readonly refusals: IdentityRefusals = PLAIN_REFUSALS,
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
    return this.#refusal(agent, this.toolOf(name)) === undefined;
  }

  /** Judges a call and, where it is allowed, takes it from the agent's quota. Never rejects because of what a client sent. */
  async judge(call: ToolCall): Promise<ToolDecision> {
    const tool = this.toolOf(call.tool);
    if (this.options === false) return { allowed: true, tool, headers: [] };
    const reason = this.#refusal(call.agent, tool);
    if (reason !== undefined) return this.#refuse(call, tool, reason, this.#answerTo(reason, tool));
    return this.#judgeQuota(call, tool);
  }

  async #judgeQuota(call: ToolCall, tool: Tool): Promise<ToolDecision> {
    const owner = ownerOf(call);
    const isLimited = tool.policies.length > 0;
    const verdict = isLimited ? await this.quotas.take(tool, owner, askerOf(call)) : undefined;
    if (verdict === 'unavailable') {
      return this.#refuse(call, tool, 'store-failing', STORE_FAILING);
    }
    if (verdict === undefined) {
      this.#noteUse(call, tool, owner);
      return { allowed: true, tool, headers: [] };
    }
    const headers = quotaHeaders(verdict, this.clock.epochMs(), this.quotas.settings.headers);
    if (!verdict.granted) {
      return this.#refuse(call, tool, 'over-limit', { problem: quotaProblem(verdict), headers });
    }
    this.#noteUse(call, tool, owner);
    this.#noteThresholds(call, tool, owner, verdict);
    return { allowed: true, tool, headers };
  }

  #refusal(
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

  #answerTo(reason: 'agent-required' | 'not-listed' | 'scope-missing', { scopes }: Tool): Refusal {
    if (reason === 'not-listed') return NOT_ALLOWED;
    return reason === 'agent-required' ? this.refusals.missing : this.refusals.insufficientScope(scopes, []);
  }

  #listOf(names: readonly string[]): NameSet {
    let list = this.#lists.get(names);
    if (list === undefined) this.#lists.set(names, (list = new NameSet(names)));
    return list;
  }

  #refuse(call: ToolCall, tool: Tool, reason: ToolRefusal, { problem, headers }: Refusal): ToolDecision {
    this.events.emit({ type: 'tool.refused', ...this.#context(call), reason, code: problem.code });
    const count = this.#trackerOf(call)?.deny(ownerOf(call), this.clock.monotonicMs());
    if (count !== undefined)
      this.events.emit({ type: 'tool.denials', ...this.#context(call), count, reason });
    return { allowed: false, tool, reason, problem, headers };
  }

  #noteUse(call: ToolCall, tool: Tool, owner: string): void {
    const noted = this.#trackerOf(call)?.use(owner, tool.name, this.clock.monotonicMs());
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

  #noteThresholds(call: ToolCall, tool: Tool, owner: string, verdict: Verdict): void {
    const nowMs = this.clock.monotonicMs();
    for (const [index, { policy, calls, threshold }] of tool.alerts.entries()) {
      const standing = verdict.standings.find(each => each.policy.name === policy.name);
      if (standing === undefined || standing.violated) continue;
      const used = policy.burst - standing.remaining;
      // Passed by this call: where processes share the quota, one of them tells.
      if (used < calls || used - 1 >= calls) continue;
      if (this.#trackerOf(call)?.isNew(owner, tool.name, index, policy.windowMs, nowMs)) {
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

function askerOf({ requestId, address, agent }: ToolCall): Asker {
  return { requestId, address, agent: agent?.id };
}

/** Whose quota a call takes from: the agent's, else its address's. */
function ownerOf({ agent, address }: ToolCall): string {
  return agent === undefined ? `address:${addressBlock(address)}` : `agent:${agent.id}`;
}
