/* Refusals that MCP clients can read: an HTTP status with a JSON-RPC error that carries the problem. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ProblemFields, toProblem } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { hasLongBody } from '../http/unread-body.js';
import type { McpBody, MessageId } from './read-messages.js';

/** "Server error" (JSON-RPC 2.0, section 5.1): the request was understood, and is refused. `data.code` says why. */
const REFUSED = -32_000;

export interface McpRejection {
  readonly fields: ProblemFields;
  /** @default -32000 */
  readonly rpcCode?: number;
  /** Further members of the error's `data`. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  /** Header pairs, name and value in turn. */
  readonly headers?: readonly string[] | undefined;
  /** Whether the calls of the request are already have an audit record. */
  readonly isRecorded?: boolean;
  /** What was asked, once it was read. */
  readonly body?: McpBody | undefined;
  /** The ID alone, of a message that is not whole. */
  readonly id?: MessageId | undefined;
}

export function answerRejection(
  raw: IncomingMessage,
  response: ServerResponse,
  state: RequestState,
  rejection: McpRejection,
  typeBase: string | undefined,
): void {
  const { fields, headers = [] } = rejection;
  const body = JSON.stringify(toErrors(rejection, toProblem(fields, typeBase, state.id || undefined)));
  for (let index = 0; index < headers.length; index += 2)
    response.setHeader(headers[index]!, headers[index + 1]!);
  response.writeHead(fields.status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(raw.httpVersionMajor === 1 && (fields.status === 431 || (!raw.complete && hasLongBody(raw)))
      ? { Connection: 'close' }
      : undefined),
  });
  response.end(raw.method === 'HEAD' ? undefined : body);
}

/** One error for each request of a batch, so that a client finds what became of each; else one, with the request's ID or none. */
function toErrors({ rpcCode = REFUSED, data, body, id, fields }: McpRejection, problem: object): unknown {
  const error = { code: rpcCode, message: fields.detail ?? fields.code, data: { ...data, ...problem } };
  const ids = body?.messages.flatMap(message => (message.kind === 'request' ? [message.id!] : [])) ?? [];
  const toAnswer = (each: MessageId | null): object => ({ jsonrpc: '2.0', id: each, error });
  return body?.batch && ids.length > 0 ? ids.map(toAnswer) : toAnswer(ids[0] ?? id ?? null);
}
