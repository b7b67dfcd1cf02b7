/* Calls of tools over MCP, judged and put on record as those of handlers are. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditOutcome } from '../audit/audit-record.js';
import type { AuditedCall, AuditEntry, AuditTrail } from '../audit/audit-trail.js';
import type { Agent } from '../common/agent.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { joinQuotas } from '../tools/quota-pairs.js';
import type { ToolPolicy } from '../tools/tool-policy.js';
import type { CallOutcomes } from './call-outcomes.js';
import type { McpToolCall, McpTools, PortRefusal } from './mcp-ports.js';
import type { MessageId } from './read-messages.js';

/** What a client hears when a call was not made. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 421, 429]);

export class McpToolGate implements McpTools {
  constructor(
    private readonly policy: ToolPolicy,
    private readonly audit: AuditTrail,
  ) {}

  isVisible(agent: Agent | undefined, tool: string): boolean {
    return this.policy.isVisible(agent, tool);
  }

  async judge(
    calls: readonly McpToolCall[],
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
    outcomes: CallOutcomes,
  ): Promise<PortRefusal | undefined> {
    for (const { tool } of calls) {
      const decision = await this.policy.judge({
        tool,
        agent: state.agent,
        address: state.client.address,
        requestId: state.id,
      });
      if (!decision.allowed) return { fields: decision.problem, headers: decision.headers };
      state.quota = joinQuotas(state.quota, decision.headers);
    }
    const started: (readonly [id: MessageId | undefined, call: AuditedCall])[] = [];
    for (const { tool, id, params } of calls) {
      const start = await this.audit.begin(this.#entryOf(tool, params, raw, state));
      if (start.recorded) {
        started.push([id, start.call]);
        continue;
      }
      for (const [, call] of started) call.finish({ outcome: 'refused', code: start.problem.code });
      return { fields: start.problem, headers: start.headers };
    }
    if (started.length > 0) finishWith(response, state, started, outcomes);
    return undefined;
  }

  refused(
    fields: ProblemFields,
    raw: IncomingMessage,
    state: RequestState,
    calls: readonly McpToolCall[],
  ): void {
    const { status, code } = fields;
    for (const { tool, params } of calls) {
      // What somebody unknown sent is neither redacted nor recorded.
      const shown = state.agent === undefined ? undefined : params;
      this.audit.refuse(this.#entryOf(tool, shown, raw, state), { status, code });
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

function finishWith(
  response: ServerResponse,
  state: RequestState,
  started: readonly (readonly [id: MessageId | undefined, call: AuditedCall])[],
  outcomes: CallOutcomes,
): void {
  // The first end counts: 'close' comes behind 'finish', and alone where the client has gone.
  const end = (): void => {
    const status = response.headersSent ? response.statusCode : undefined;
    for (const [id, call] of started) {
      call.finish({ outcome: outcomeOf(response, outcomes.hasFailed(id)), status, code: state.problem });
    }
  };
  response.once('finish', end);
  response.once('close', end);
}

function outcomeOf({ writableFinished, statusCode }: ServerResponse, hasFailed: boolean): AuditOutcome {
  if (!writableFinished) return 'aborted';
  if (REFUSALS.has(statusCode)) return 'refused';
  return statusCode >= 400 || hasFailed ? 'failed' : 'ok';
}
