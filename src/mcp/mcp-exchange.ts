/* What an MCP endpoint knows of a request, and the rejections that its clients can read. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { ProtocolHeaders } from './check-protocol.js';
import type { McpBody, MessageId } from './read-messages.js';
import type { CallOutcomes } from './response-messages.js';
import type { Rejection } from '../common/rejection.js';

export interface RawExchange {
  readonly raw: IncomingMessage;
  readonly response: ServerResponse;
  readonly state: RequestState;
}

/** A request to an MCP endpoint whose head was accepted, and what is known of it so far. */
export interface McpExchange extends RawExchange {
  readonly headers: ProtocolHeaders;
  /** Whether the caller may call each tool that the request names. A tool is decided once, by `Mcp-Name` or by the body. */
  readonly access: Map<string, McpRejection | undefined>;
  readonly outcomes: CallOutcomes;
}

export interface McpRejection extends Rejection {
  /** @default -32000 */
  readonly rpcCode?: number;
  /** Further members of the error's `data`. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** Whether the calls of the request have their audit records already. */
  readonly isRecorded?: boolean;
  /** The messages of the request, once they were read. */
  readonly body?: McpBody;
  /** The messages of a rejected request, which are read only so that the response names their IDs. */
  readonly unchecked?: McpBody;
  /** The ID alone, of a message that is invalid. */
  readonly id?: MessageId | undefined;
}

export const toRejection = (problem: ProblemFields, more?: Partial<McpRejection>): McpRejection => ({
  problem,
  headers: [],
  ...more,
});

/** @param rpcCode of JSON-RPC 2.0, section 5.1 */
export const invalidMessage = (
  rpcCode: -32700 | -32600 | -32602,
  detail: string,
  id?: MessageId,
): McpRejection => toRejection({ status: 400, code: 'mcp_invalid', detail }, { rpcCode, id });
