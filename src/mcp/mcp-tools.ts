/* Calls of tools over MCP: authorized by the tool policy, and recorded in the audit like calls of handlers. */
import type { AuditedCall, AuditEntry } from '../audit/audit-record.js';
import type { AuditTrail } from '../audit/audit-trail.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { hasResponseEnded, readCallEnd, whenResponseEnds } from '../common/response-end.js';
import type { NameSet } from '../tools/name-map.js';
import type { ToolPolicy } from '../tools/tool-policy.js';
import { joinQuotas } from '../tools/tool-quotas.js';
import type { ToolCall } from '../tools/tool.js';
import type { McpExchange, McpRejection, RawExchange } from './mcp-exchange.js';
import { type McpMessage, type MessageId, TOOLS_LIST } from './read-messages.js';
import type { Rejection } from '../common/rejection.js';

interface McpToolCall extends Partial<Pick<McpMessage, 'id' | 'params'>> {
  readonly tool: string;
}

export const callsIn = (messages: readonly McpMessage[]): readonly McpToolCall[] =>
  messages.filter((message): message is McpMessage & McpToolCall => message.tool !== undefined);

export class McpTools {
  constructor(
    readonly policy: ToolPolicy,
    private readonly audit: AuditTrail,
  ) {}

  /** Decides, once a request, whether the caller may call a tool. Consumes no quota. */
  checkAccess({ access, state }: McpExchange, tool: string): McpRejection | undefined {
    if (!access.has(tool)) {
      const decision = this.policy.checkAccess(policyCall(tool, state));
      access.set(tool, decision.allowed ? undefined : decision);
    }
    return access.get(tool);
  }

  /** Consumes the quotas of calls to which the caller has access, and records that they start. */
  async start(calls: readonly McpToolCall[], exchange: McpExchange): Promise<McpRejection | undefined> {
    const { response, state, outcomes } = exchange;
    for (const { tool } of calls) {
      const decision = await this.policy.consume(policyCall(tool, state));
      if (!decision.allowed) return decision;
      state.limits.quotaHeaders = joinQuotas(state.limits.quotaHeaders, decision.headers);
    }
    const started: (readonly [id: MessageId | undefined, call: AuditedCall])[] = [];
    for (const [index, { tool, id, params }] of calls.entries()) {
      const entry = this.#entryOf(tool, params, exchange);
      if (hasResponseEnded(response)) {
        this.audit.reject(entry, { outcome: 'aborted' });
        continue;
      }
      const start = await this.audit.begin(entry);
      if (start.recorded) {
        started.push([id, start.call]);
        continue;
      }
      const { problem, headers } = start;
      for (const [, call] of started) call.cancel({ outcome: 'rejected', code: problem.code });
      this.reject(problem, calls.slice(index), exchange);
      return { problem, headers, isRecorded: true };
    }
    // The edge serves no request whose response has ended.
    if (hasResponseEnded(response)) for (const [, call] of started) call.cancel({ outcome: 'aborted' });
    else if (started.length > 0) {
      whenResponseEnds(response, isWhole => {
        for (const [id, call] of started)
          call.finish(readCallEnd(response, state.outcome.rejection?.code, isWhole, outcomes.hasFailed(id)));
      });
    }
    return undefined;
  }

  /** Records calls that were not made. */
  reject({ status, code }: ProblemFields, calls: readonly McpToolCall[], exchange: RawExchange): void {
    for (const { tool, params } of calls) {
      // What an unidentified client sent is neither redacted nor recorded.
      const shown = exchange.state.agent === undefined ? undefined : params;
      this.audit.reject(this.#entryOf(tool, shown, exchange), { status, code });
    }
  }

  #entryOf(tool: string, params: McpToolCall['params'], { raw, state }: RawExchange): AuditEntry {
    const { impact, redact } = this.policy.toolOf(tool);
    return {
      tool,
      impact,
      redact,
      agent: state.agent?.id,
      params: params?.['arguments'],
      address: state.client.address,
      requestId: state.id,
      traceparent: raw.headers['traceparent'],
    };
  }
}

const policyCall = (tool: string, { agent, client, id }: RequestState): ToolCall => ({
  tool,
  agent,
  address: client.address,
  requestId: id,
});

/** What a client without a credential may send where some tools are public, beside calls of those. */
const PUBLIC_METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'notifications/initialized',
  'notifications/cancelled',
  'ping',
  'server/discover',
  TOOLS_LIST,
]);

export class CallerCheck {
  constructor(
    /** `undefined` where `auth` is off. */
    private readonly authenticator: Authenticator | undefined,
    private readonly publicTools: NameSet | undefined,
  ) {}

  /** Finds the agent. A request without a credential passes where there are public tools; one with a bad credential never does. */
  async identify({ raw, state }: McpExchange): Promise<Rejection | undefined> {
    const found = await this.authenticator?.authenticate(raw, state);
    if (found === undefined || found.kind === 'agent') return undefined;
    return found.kind === 'anonymous' && this.publicTools !== undefined ? undefined : found.reject();
  }

  /** The rejection of a request that needs an agent and has none. */
  requireAgent({ agent }: RequestState): Rejection | undefined {
    return agent === undefined ? this.authenticator?.rejections.missing : undefined;
  }

  requireAgentForTool(state: RequestState, tool: string): Rejection | undefined {
    return this.publicTools?.has(tool) ? undefined : this.requireAgent(state);
  }

  requireAgentForMessages(state: RequestState, messages: readonly McpMessage[]): Rejection | undefined {
    const isPublic = messages.every(message =>
      message.tool === undefined ? PUBLIC_METHODS.has(message.method) : this.publicTools?.has(message.tool),
    );
    return isPublic ? undefined : this.requireAgent(state);
  }
}
