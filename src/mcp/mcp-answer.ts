/* Rejections that MCP clients can read: an HTTP status with a JSON-RPC error that carries the problem. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { eachPair } from '../common/header-template.js';
import { type ProblemFields, toProblem } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { hasLongBody } from '../http/unread-body.js';
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
  /** The messages of a rejected request, read for their IDs alone. */
  readonly answers?: McpBody;
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

export function answerRejection(
  { raw, response, state }: RawExchange,
  rejection: McpRejection,
  typeBase: string | undefined,
): void {
  // The server's time limits may have answered while the body was read.
  if (response.headersSent) return;
  const { problem, headers } = rejection;
  const body = JSON.stringify(toErrors(rejection, toProblem(problem, typeBase, state.id || undefined)));
  eachPair(headers, (name, value) => response.setHeader(name, value));
  response.writeHead(problem.status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(raw.httpVersionMajor === 1 && (problem.status === 431 || (!raw.complete && hasLongBody(raw)))
      ? { Connection: 'close' }
      : undefined),
  });
  response.end(raw.method === 'HEAD' ? undefined : body);
}

/** "Server error" (JSON-RPC 2.0, section 5.1): the request was understood and is rejected. `data.code` says why. */
const SERVER_ERROR = -32_000;

/** One error for each request of a batch, so that a client finds the answer to each; else one, with the request's ID or none. */
function toErrors(
  { rpcCode = SERVER_ERROR, data, body, answers = body, id, problem }: McpRejection,
  details: object,
): unknown {
  const error = { code: rpcCode, message: problem.detail ?? problem.code, data: { ...data, ...details } };
  const ids = answers?.messages.flatMap(message => (message.kind === 'request' ? [message.id!] : [])) ?? [];
  const toAnswer = (each: MessageId | null): object => ({ jsonrpc: '2.0', id: each, error });
  return answers?.batch && ids.length > 0 ? ids.map(toAnswer) : toAnswer(ids[0] ?? id ?? null);
}
