import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestState } from '../common/request-state.js';
import type { CallOutcomes } from './call-outcomes.js';
import type { ProtocolHeaders } from './check-protocol.js';
import type { McpRejection } from './mcp-answer.js';

/** A request to an MCP endpoint, and what is known of it so far. */
export interface McpExchange {
  readonly raw: IncomingMessage;
  readonly response: ServerResponse;
  readonly state: RequestState;
  readonly headers: ProtocolHeaders;
  /** Whether the caller may call each tool that the request names. A tool is decided once, by `Mcp-Name` or by the body. */
  readonly access: Map<string, McpRejection | undefined>;
  readonly outcomes: CallOutcomes;
}
