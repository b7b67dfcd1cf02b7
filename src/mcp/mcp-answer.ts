/* Rejections that MCP clients can read: an HTTP status with a JSON-RPC error that carries the problem. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ProblemFields, toProblem, type Rejection } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { hasLongBody } from '../http/unread-body.js';
import type { McpBody, MessageId } from './read-messages.js';
import { isRecord } from '../common/read-options.js';
import { dataOf, EventReader } from './event-reader.js';
import type { ProtocolHeaders } from './check-protocol.js';

/** "Server error" (JSON-RPC 2.0, section 5.1): the request was understood and is rejected. `data.code` says why. */
const SERVER_ERROR = -32_000;

export interface McpRejection extends Rejection {
  /** @default -32000 */
  readonly rpcCode?: number;
  /** Further members of the error's `data`. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  /** Whether the calls of the request have their audit records already. */
  readonly isRecorded?: boolean;
  /** The messages of the request, once they were read. */
  readonly body?: McpBody | undefined;
  /** The ID alone, of a message that is invalid. */
  readonly id?: MessageId | undefined;
}

export const toRejection = (problem: ProblemFields, more?: Partial<McpRejection>): McpRejection => ({
  problem,
  headers: [],
  ...more,
});

export function answerRejection(
  raw: IncomingMessage,
  response: ServerResponse,
  state: RequestState,
  rejection: McpRejection,
  typeBase: string | undefined,
): void {
  const { problem, headers } = rejection;
  const body = JSON.stringify(toErrors(rejection, toProblem(problem, typeBase, state.id || undefined)));
  for (let index = 0; index < headers.length; index += 2)
    response.setHeader(headers[index]!, headers[index + 1]!);
  response.writeHead(problem.status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(raw.httpVersionMajor === 1 && (problem.status === 431 || (!raw.complete && hasLongBody(raw)))
      ? { Connection: 'close' }
      : undefined),
  });
  response.end(raw.method === 'HEAD' ? undefined : body);
}

/** One error for each request of a batch, so that a client finds the answer to each; else one, with the request's ID or none. */
function toErrors(
  { rpcCode = SERVER_ERROR, data, body, id, problem }: McpRejection,
  details: object,
): unknown {
  const error = { code: rpcCode, message: problem.detail ?? problem.code, data: { ...data, ...details } };
  const ids = body?.messages.flatMap(message => (message.kind === 'request' ? [message.id!] : [])) ?? [];
  const toAnswer = (each: MessageId | null): object => ({ jsonrpc: '2.0', id: each, error });
  return body?.batch && ids.length > 0 ? ids.map(toAnswer) : toAnswer(ids[0] ?? id ?? null);
}

/* Reads the outcomes of calls from the response while it is written: in MCP, a call that fails has status 200. */

/** In longer responses, the outcome of a call is that of the status. */
const MAX_LENGTH = 256 * 1024;

export class CallOutcomes {
  readonly #failed = new Set<MessageId>();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #events = new EventReader();
  /** Of an answer that is no stream. */
  #text = '';
  #isLost = false;

  push(chunk: Uint8Array, isStream: boolean): void {
    if (this.#isLost) return;
    const text = this.#decoder.decode(chunk, { stream: true });
    if (isStream) for (const event of this.#events.read(text)) this.#readMessages(dataOf(event));
    else this.#text += text;
    if (this.#text.length + this.#events.rest.length <= MAX_LENGTH) return;
    this.#isLost = true;
    this.#text = this.#events.rest = '';
  }

  end(isStream: boolean): void {
    if (!isStream) this.#readMessages(this.#text);
    this.#text = this.#events.rest = '';
  }

  /** Whether a call was answered with an error, or with a result that says that it is one. */
  hasFailed(id: MessageId | undefined): boolean {
    return id !== undefined && this.#failed.has(id);
  }

  #readMessages(text: string | undefined): void {
    if (text === undefined) return;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    for (const message of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (!isRecord(message)) continue;
      const { id, error, result } = message;
      const isError = error !== undefined || (isRecord(result) && result['isError'] === true);
      if (isError && (typeof id === 'string' || typeof id === 'number')) this.#failed.add(id);
    }
  }
}

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
