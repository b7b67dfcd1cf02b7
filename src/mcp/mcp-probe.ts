import type { RequestState } from '../common/request-state.js';
import type { McpExchange, McpRejection } from './mcp-exchange.js';
import type { McpMessage } from './read-messages.js';

/** What MCP endpoints report to the telemetry. No method throws by itself. */
export interface McpProbe {
  /** Measures what an endpoint decides about a request. */
  measure<T>(state: RequestState, decide: () => Promise<T>): Promise<T>;
  /** The messages pass to the server. */
  passMessages(exchange: McpExchange, messages: readonly McpMessage[]): void;
  rejectMessages(state: RequestState, rejection: McpRejection): void;
  /** The server lists a tool. */
  listTool(name: string): void;
}
