/* What the MCP stage asks of the other features. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Agent } from '../common/agent.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { CallOutcomes } from './call-outcomes.js';
import type { MessageId } from './read-messages.js';

export interface PortRejection {
  readonly fields: ProblemFields;
  /** Header pairs, name and value in turn. */
  readonly headers?: readonly string[] | undefined;
  /** Whether the calls of the request are on record already. */
  readonly isRecorded?: boolean;
}

export interface McpIdentity {
  /**
   * Finds out who sends a request, and keeps it in `state.agent`.
   * @param optional whether the request may go on without a credential; a bad one is refused all the same
   */
  identify(raw: IncomingMessage, state: RequestState, optional: boolean): Promise<PortRejection | undefined>;
  /** The refusal of a request that needed a credential, found out later. */
  challenge(raw: IncomingMessage, state: RequestState): PortRejection;
}

export interface McpLimiter {
  /** Takes `cost` units of the module's limits, and keeps the headers in `state.quota`. */
  limit(raw: IncomingMessage, response: ServerResponse, cost: number): Promise<ProblemFields | undefined>;
}

export interface McpToolCall {
  readonly tool: string;
  readonly id: MessageId | undefined;
  readonly params: Readonly<Record<string, unknown>> | undefined;
}

export interface McpTools {
  /** Whether the agent may call the tool at all; takes nothing of a quota. */
  isVisible(agent: Agent | undefined, tool: string): boolean;
  /** Judges the calls of one request, takes their quotas and puts them on record. */
  authorize(
    calls: readonly McpToolCall[],
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
    outcomes: CallOutcomes,
  ): Promise<PortRejection | undefined>;
  /** Puts calls on record that were not made. */
  rejected(
    fields: ProblemFields,
    raw: IncomingMessage,
    state: RequestState,
    calls: readonly McpToolCall[],
  ): void;
}

export const MCP_PORTS = Symbol('agent-security:mcp-ports');

export interface McpPorts {
  readonly identity: McpIdentity | undefined;
  readonly limiter: McpLimiter | undefined;
  readonly tools: McpTools;
}
