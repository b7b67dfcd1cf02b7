/* Calls of tools over MCP, checked, and recorded in the audit like calls of handlers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { outcomeOf } from '../audit/audit-record.js';
import type { AuditedCall, AuditEntry, AuditTrail } from '../audit/audit-trail.js';
import type { Agent } from '../common/agent.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { hasResponseEnded, whenResponseEnds } from '../common/response-end.js';
import { joinQuotas } from '../tools/quota-pairs.js';
import type { ToolPolicy } from '../tools/tool-policy.js';
import type { CallOutcomes } from './call-outcomes.js';
import type { McpToolCall, McpTools, PortRejection } from './mcp-ports.js';
import type { MessageId } from './read-messages.js';

export class McpToolGate implements McpTools {
  constructor(
    private readonly policy: ToolPolicy,
    private readonly audit: AuditTrail,
  ) {}

  isVisible(agent: Agent | undefined, tool: string): boolean {
    return this.policy.isVisible(agent, tool);
  }

  async authorize(
    calls: readonly McpToolCall[],
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
    outcomes: CallOutcomes,
  ): Promise<PortRejection | undefined> {
    for (const { tool } of calls) {
      const decision = await this.policy.authorize({
        tool,
        agent: state.agent,
        address: state.client.address,
        requestId: state.id,
      });
      if (!decision.allowed) return { fields: decision.problem, headers: decision.headers };
      state.limits.quota = joinQuotas(state.limits.quota, decision.headers);
    }
    const started: Started[] = [];
    for (const [index, { tool, id, params }] of calls.entries()) {
      const entry = this.#entryOf(tool, params, raw, state);
      if (hasResponseEnded(response)) {
        this.audit.reject(entry, { outcome: 'aborted' });
        continue;
      }
      const start = await this.audit.begin(entry);
      if (start.recorded) {
        started.push([id, start.call]);
        continue;
      }
      const { problem: fields, headers } = start;
      for (const [, call] of started) call.cancel({ outcome: 'rejected', code: fields.code });
      this.rejected(fields, raw, state, calls.slice(index));
      return { fields, headers, isRecorded: true };
    }
    // The stage lets nobody serve a request whose response has ended.
    if (hasResponseEnded(response)) for (const [, call] of started) call.cancel({ outcome: 'aborted' });
    else if (started.length > 0) finishWith(response, state, started, outcomes);
    return undefined;
  }

  rejected(
    fields: ProblemFields,
    raw: IncomingMessage,
    state: RequestState,
    calls: readonly McpToolCall[],
  ): void {
    const { status, code } = fields;
    for (const { tool, params } of calls) {
      // What somebody unknown sent is neither redacted nor recorded.
      const shown = state.agent === undefined ? undefined : params;
      this.audit.reject(this.#entryOf(tool, shown, raw, state), { status, code });
    }
  }

  #entryOf(
    tool: string,
    params: McpToolCall['params'],
    raw: IncomingMessage,
    state: RequestState,
  ): AuditEntry {
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

type Started = readonly [id: MessageId | undefined, call: AuditedCall];

function finishWith(
  response: ServerResponse,
  state: RequestState,
  started: readonly Started[],
  outcomes: CallOutcomes,
): void {
  whenResponseEnds(response, isWhole => {
    const { headersSent, statusCode } = response;
    const status = headersSent ? statusCode : undefined;
    for (const [id, call] of started) {
      const outcome = isWhole ? outcomeOf(statusCode, outcomes.hasFailed(id)) : 'aborted';
      call.finish({ outcome, status, code: state.outcome.problem });
    }
  });
}
