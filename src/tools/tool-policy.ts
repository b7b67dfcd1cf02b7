/* Which agent may call which tool, and how often: for handlers, for calls over MCP and for code of the app. */
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { Rejection } from '../common/problem.js';
import type { SecurityEvents } from '../events/security-events.js';
import { LIMITS_UNAVAILABLE } from '../limiter/quota-engine.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { NameSet } from './name-pattern.js';
import { isSameTool, type Tool, UNDECLARED } from './tool.js';
import {
  type ToolCall,
  type ToolDecision,
  type ToolRejection,
  type IdentityRejections,
  NOT_ALLOWED,
  PLAIN_REJECTIONS,
} from './tool-decision.js';
import { MAX_TOOL_NAME, ToolEvents } from './tool-events.js';
import type { ToolQuotas } from './tool-quotas.js';
import type { ResolvedTools } from './tools.options.js';

type AccessRejection = Extract<ToolRejection, 'agent-required' | 'not-listed' | 'scope-missing'>;

/**
 * Authorizes calls of tools and consumes their quotas. Inject it for calls that are not HTTP requests, such as those of an MCP server.
 * @example
 * const decision = await toolPolicy.authorize({ tool: 'delete_user', agent, address });
 * if (!decision.allowed) return decision.problem;
 */
export class ToolPolicy {
  readonly #tools = new Map<string, Tool>();
  readonly #events: ToolEvents;
  /** The compiled lists of agents. Each request has its own agent, but usually not its own list. */
  readonly #lists = new WeakMap<readonly string[], NameSet>();

  constructor(
    private readonly options: ResolvedTools | false,
    private readonly quotas: ToolQuotas,
    events: SecurityEvents,
    private readonly clock: Clock,
    private readonly rejections: IdentityRejections = PLAIN_REJECTIONS,
  ) {
    this.#events = new ToolEvents(events, clock);
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

  /** A tool as it is declared; one without limits and scopes where it is not. */
  toolOf(name: string): Tool {
    const declared =
      this.#tools.get(name) ?? (this.options === false ? undefined : this.options.policies.get(name));
    return declared?.name === name ? declared : { ...(declared ?? UNDECLARED), name };
  }

  /** Whether a list of tools may show this one to an agent. */
  isVisible(agent: Agent | undefined, name: string): boolean {
    return this.#accessRejection(agent, this.toolOf(name)) === undefined;
  }

  /** Decides on a call and, where it is allowed, consumes the agent's quota. Never throws because of what a client sent. */
  async authorize(call: ToolCall): Promise<ToolDecision> {
    const decision = this.checkAccess(call);
    return decision.allowed ? this.consume(call) : decision;
  }

  /** The first half of `authorize()`: whether the agent may call the tool at all. Consumes no quota. */
  checkAccess(call: ToolCall): ToolDecision {
    const tool = this.toolOf(call.tool);
    const reason = this.#accessRejection(call.agent, tool);
    if (reason === undefined) return { allowed: true, tool, headers: [] };
    return this.#reject(call, tool, reason, this.#answerTo(reason, tool));
  }

  /** The second half of `authorize()`: consumes the quota of a call that `checkAccess()` allowed. */
  async consume(call: ToolCall): Promise<ToolDecision> {
    const tool = this.toolOf(call.tool);
    if (this.options === false) return { allowed: true, tool, headers: [] };
    const decision = tool.policies.length > 0 ? await this.quotas.consume(tool, call) : undefined;
    if (decision === 'unavailable') return this.#reject(call, tool, 'store-failing', LIMITS_UNAVAILABLE);
    const headers =
      decision === undefined
        ? []
        : quotaHeaders(decision, this.clock.epochMs(), this.quotas.settings.headers);
    if (decision?.granted === false)
      return this.#reject(call, tool, 'over-limit', { problem: quotaProblem(decision), headers });
    this.#events.emitUsed(call, tool, decision);
    return { allowed: true, tool, headers };
  }

  #accessRejection(agent: Agent | undefined, tool: Tool): AccessRejection | undefined {
    if (this.options === false) return undefined;
    const { allow, requireAgent } = this.options;
    if (agent === undefined && (requireAgent || tool.scopes.length > 0)) return 'agent-required';
    // A caller without a credential has no ID: of the entries, only "*" matches it.
    const isListed = allow === undefined || allow.get(agent?.id ?? '')?.has(tool.name) === true;
    if (
      !isListed ||
      tool.name.length > MAX_TOOL_NAME ||
      (agent?.tools !== undefined && !this.#listOf(agent.tools).has(tool.name))
    ) {
      return 'not-listed';
    }
    return tool.scopes.every(scope => agent?.scopes.includes(scope)) ? undefined : 'scope-missing';
  }

  #answerTo(reason: AccessRejection, { scopes }: Tool): Rejection {
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
    this.#events.emitRejected(call, reason, problem);
    return { allowed: false, tool, reason, problem, headers };
  }
}
