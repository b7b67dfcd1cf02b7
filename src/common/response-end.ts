/* Detects the end of a response. Use `whenResponseEnds` in place of 'finish' and 'close' listeners: for a queued
 * response of a pipelined request whose connection closes before its turn, Node emits neither event. The edge emits
 * 'close' for it. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ProblemFields } from './problem.js';

/** The problem of a request whose response has ended before its handler runs. No client receives it. */
export const REQUEST_ENDED: ProblemFields = {
  status: 503,
  code: 'request_ended',
  detail: 'The request had ended before its handler could run.',
};

/** @param isWhole whether the whole response was sent; false if the client disconnected or the response was aborted */
type OnResponseEnd = (isWhole: boolean) => void;

const PENDING = Symbol('agent-security:response-end');
const QUEUED = Symbol('agent-security:queued-responses');

/** The callbacks of a response: one list, with one listener for each of the two events. */
type PendingResponse = ServerResponse & { [PENDING]?: OnResponseEnd[] };
/** A socket has one 'close' listener for all of its queued responses. */
type QueueingSocket = Duplex & { [QUEUED]?: Set<ServerResponse> };

/** The compatibility API of HTTP/2: its response emits 'finish' even if the stream was reset. */
interface Http2Response {
  readonly stream?: { readonly destroyed: boolean; readonly rstCode?: number };
}

/** Calls `onEnd` exactly once: when the response has ended or its connection is closed, or now if that has already happened. */
export function whenResponseEnds(response: ServerResponse, onEnd: OnResponseEnd): void {
  if (hasResponseEnded(response)) {
    onEnd(isResponseWhole(response));
    return;
  }
  const { [PENDING]: pending } = response as PendingResponse;
  if (pending !== undefined) {
    pending.push(onEnd);
    return;
  }
  (response as PendingResponse)[PENDING] = [onEnd];
  const isHttp2 = (response as Http2Response).stream !== undefined;
  response.once('finish', () => endResponse(response, !isHttp2 || isResponseWhole(response)));
  response.once('close', () => endResponse(response, false));
}

/** Whether a response was sent or aborted, or its connection is closed. */
export function hasResponseEnded(response: ServerResponse): boolean {
  const { stream } = response as Http2Response;
  if (stream !== undefined) return stream.destroyed;
  return response.writableFinished || response.destroyed || response.req.socket?.destroyed === true;
}

/** Whether a response that has ended was sent as a whole. */
export function isResponseWhole(response: ServerResponse): boolean {
  const { stream } = response as Http2Response;
  if (stream !== undefined) return response.writableEnded && stream.rstCode === 0;
  // Writes to a closed connection are discarded and count as finished. A response that was sent is detached from its socket.
  return response.writableFinished && response.socket?.destroyed !== true;
}

function endResponse(response: PendingResponse, isWhole: boolean): void {
  const pending = response[PENDING];
  if (pending === undefined) return;
  delete response[PENDING];
  for (const onEnd of pending) onEnd(isWhole);
}

/**
 * Closes a queued response with its connection, as Node does for the current response: the response of a pipelined
 * request waits for the one before it. The edge calls this for each response, before anything waits for its end.
 */
export function closeWithConnection(response: ServerResponse): void {
  const socket = response.req?.socket as QueueingSocket | undefined;
  // The fake sockets of serverless adapters never close.
  if (response.socket !== null || typeof socket?.once !== 'function') return;
  let queued = socket[QUEUED];
  if (queued === undefined) {
    const responses = (socket[QUEUED] = queued = new Set());
    socket.once('close', () => {
      for (const each of responses) if (each.socket === null && !each.writableFinished) close(each);
    });
  }
  queued.add(response);
  const forget = (): void => void queued.delete(response);
  response.once('finish', forget).once('close', forget);
}

function close(response: ServerResponse): void {
  response.destroyed = true;
  response.emit('close');
}

/** How a call of a tool ended, by its response: one rule for handlers and for calls over MCP. */
export type CallOutcome = 'ok' | 'failed' | 'rejected' | 'aborted';

export interface CallEnd {
  readonly outcome: CallOutcome;
  readonly status?: number | undefined;
  /** The code of the problem that was answered. */
  readonly code?: string | undefined;
}

/** The statuses of a call that was not made. */
const REJECTED_STATUSES: ReadonlySet<number> = new Set([401, 403, 421, 429]);

/**
 * @param isWhole whether the response was sent whole; else the client left
 * @param hasFailed whether the body says that the call failed, whatever its status
 */
export function readCallEnd(
  { headersSent, statusCode }: ServerResponse,
  code: string | undefined,
  isWhole: boolean,
  hasFailed = false,
): CallEnd {
  const status = headersSent ? statusCode : undefined;
  if (!isWhole) return { outcome: 'aborted', status, code };
  if (REJECTED_STATUSES.has(statusCode)) return { outcome: 'rejected', status, code };
  return { outcome: statusCode >= 400 || hasFailed ? 'failed' : 'ok', status, code };
}
