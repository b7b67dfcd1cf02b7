/* Rejections that MCP clients can read: an HTTP status with a JSON-RPC error that carries the problem. */
import { eachPair } from '../common/header-template.js';
import { toProblem } from '../common/problem.js';
import { hasLongBody } from '../http/unread-body.js';
import type { MessageId } from './read-messages.js';
import type { McpRejection, RawExchange } from './mcp-exchange.js';

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
  { rpcCode = SERVER_ERROR, data, body, unchecked = body, id, problem }: McpRejection,
  details: object,
): unknown {
  const error = { code: rpcCode, message: problem.detail ?? problem.code, data: { ...data, ...details } };
  const ids = unchecked?.messages.flatMap(message => (message.kind === 'request' ? [message.id!] : [])) ?? [];
  const toAnswer = (each: MessageId | null): object => ({ jsonrpc: '2.0', id: each, error });
  return unchecked?.batch && ids.length > 0 ? ids.map(toAnswer) : toAnswer(ids[0] ?? id ?? null);
}
