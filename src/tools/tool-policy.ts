/* Which agent may call which tool, and how often: for handlers, for calls over MCP and for code of the app. */
import type { AuthRejections } from '../auth/auth-rejections.js';
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { RouteResponse } from '../common/describe-route.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { Rejection } from '../common/rejection.js';
import type { SecurityEvents } from '../events/security-events.js';
import { bearerChallenge } from '../identity/challenge.js';
import { describeQuota, listLimits } from '../limiter/describe-limits.js';
import { LIMITS_UNAVAILABLE } from '../limiter/quota-engine.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { NameSet } from './name-map.js';
import type { Tool, ToolCall, ToolDecision, ToolRejection } from './tool.js';
import { MAX_TOOL_NAME, ToolEvents } from './tool-events.js';
import type { ToolQuotas } from './tool-quotas.js';
import type { ResolvedTools } from './tools.options.js';

type IdentityRejections = Pick<AuthRejections, 'missing' | 'insufficientScope'>;

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
    /** The authenticator's, so that an API has one challenge. */
    private readonly rejections: IdentityRejections = PLAIN_REJECTIONS,
  ) {
    this.#events = new ToolEvents(events, clock, (key, ttlMs, act) => quotas.once(key, ttlMs, act));
  }

  /**
   * Adds a tool that a handler declares; at start-up. One tool may have several handlers that declare the same.
   * @throws AgentSecurityConfigError for a second declaration that differs, or one beside the options'
   */
  define(tool: Tool, place: string): void {
    const known = this.#tools.get(tool.name);
    const isInOptions = this.options !== false && this.options.policies.hasExact(tool.name);
    if (isInOptions || (known !== undefined && JSON.stringify(known) !== JSON.stringify(tool))) {
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

  /** Whether a handler or `tools.policies` names the tool. @internal */
  isDeclared(name: string): boolean {
    return this.#tools.has(name) || (this.options !== false && this.options.policies.hasExact(name));
  }

  /** A tool as it is declared; one without limits and scopes where it is not. */
  toolOf(name: string): Tool {
    const declared =
      this.#tools.get(name) ?? (this.options === false ? undefined : this.options.policies.get(name));
    return declared?.name === name ? declared : { ...(declared ?? UNDECLARED), name };
  }

  /** Whether a list of tools may show this one to an agent. */
  isVisible(agent: Agent | undefined, name: string): boolean {
    return this.#denyAccess(agent, this.toolOf(name)) === undefined;
  }

  /** The responses to calls of a tool that are denied, for OpenAPI documents. */
  describe(name: string): readonly RouteResponse[] {
    if (this.options === false) return [];
    const { scopes, policies } = this.toolOf(name);
    const limits = listLimits(policies);
    const needsAgent = this.options.requireAgent || scopes.length > 0;
    const needs = scopes.length > 0 ? `, or a scope is missing: needs all of ${scopes.join(', ')}` : '';
    return [
      ...(needsAgent ? [{ status: 401, description: `The tool ${name} needs a verified agent` }] : []),
      { status: 403, description: `The agent may not call the tool ${name}${needs}` },
      ...(limits === ''
        ? []
        : [describeQuota(`Calls of the tool ${name}: ${limits}`, this.quotas.settings.headers)]),
    ];
  }

  /** Decides on a call and, where it is allowed, consumes the agent's quota. Never throws because of what a client sent. */
  async authorize(call: ToolCall): Promise<ToolDecision> {
    const decision = this.checkAccess(call);
    return decision.allowed ? this.consume(call) : decision;
  }

  /** The first half of `authorize()`: whether the agent may call the tool at all. Consumes no quota. */
  checkAccess(call: ToolCall): ToolDecision {
    const tool = this.toolOf(call.tool);
    const denial = this.#denyAccess(call.agent, tool);
    return denial === undefined ? { allowed: true, tool, headers: [] } : this.#reject(call, tool, ...denial);
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

  #denyAccess(agent: Agent | undefined, tool: Tool): [ToolRejection, Rejection] | undefined {
    if (this.options === false) return undefined;
    const { allow, requireAgent } = this.options;
    const { name, scopes } = tool;
    if (agent === undefined && (requireAgent || scopes.length > 0))
      return ['agent-required', this.rejections.missing];
    // A caller without a credential has no ID: of the entries, only "*" matches it.
    const isListed = allow === undefined || allow.get(agent?.id ?? '')?.has(name) === true;
    const isOwn = agent?.tools === undefined || this.#listOf(agent.tools).has(name);
    if (!isListed || !isOwn || name.length > MAX_TOOL_NAME) return ['not-listed', NOT_ALLOWED];
    return scopes.every(scope => agent?.scopes.includes(scope))
      ? undefined
      : ['scope-missing', this.rejections.insufficientScope(scopes, [])];
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

/** A tool that is not declared. */
const UNDECLARED: Tool = { name: '', policies: [], alerts: [], scopes: [], impact: 'low', redact: [] };

const NOT_ALLOWED: Rejection = {
  problem: { status: 403, code: 'tool_not_allowed', detail: 'The agent may not call this tool.' },
  headers: [],
};

/** The rejections of calls for their identity (RFC 6750 section 3), where the module itself verifies no credentials. */
const PLAIN_REJECTIONS: IdentityRejections = {
  missing: {
    problem: { status: 401, code: 'credential_missing', detail: 'This tool needs a verified agent.' },
    headers: ['WWW-Authenticate', bearerChallenge()],
  },
  insufficientScope: scopes => ({
    problem: {
      status: 403,
      code: 'insufficient_scope',
      detail: 'The credential does not have the scopes that this tool needs.',
      members: { required_scopes: scopes },
    },
    headers: [
      'WWW-Authenticate',
      bearerChallenge([
        ['error', 'insufficient_scope'],
        ['scope', scopes.join(' ')],
      ]),
    ],
  }),
};
