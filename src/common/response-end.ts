/* When a response has ended: use this for everything that must happen when a response is over, in place of listeners of its own. Node emits
 * neither 'finish' nor 'close' for a queued response of a pipelined request whose connection is closed before its turn; the edge does. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ProblemFields } from './problem.js';

/** For the exception that keeps a handler from running when its response has ended; no client receives it. */
export const REQUEST_ENDED: ProblemFields = {
  status: 503,
  code: 'request_ended',
  detail: 'The request had ended before its handler could run.',
};

/** @param isWhole whether the response was handed over whole; else its client has gone, or it was cut off */
export type OnResponseEnd = (isWhole: boolean) => void;

const PENDING = Symbol('agent-security:response-end');
const QUEUED = Symbol('agent-security:queued-responses');

/** What is called when a response ends. A response has one list, and one listener for each of the two events. */
type PendingResponse = ServerResponse & { [PENDING]?: OnResponseEnd[] };
/** A connection has one listener, however many responses wait for it. */
type QueueingSocket = Duplex & { [QUEUED]?: Set<ServerResponse> };

/** The compatibility API of HTTP/2, whose response emits 'finish' also when its stream was reset. */
interface Http2Response {
  readonly stream?: { readonly destroyed: boolean; readonly rstCode?: number };
}

/** Calls `onEnd` exactly once, when the response has ended or its connection is closed; at once if that has happened already. */
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

/** Whether a response is over: sent, cut off, or without anybody left to send it to. */
export function hasResponseEnded(response: ServerResponse): boolean {
  const { stream } = response as Http2Response;
  if (stream !== undefined) return stream.destroyed;
  return response.writableFinished || response.destroyed || response.req.socket?.destroyed === true;
}

/** Whether a response that has ended was handed over whole. */
export function isResponseWhole(response: ServerResponse): boolean {
  const { stream } = response as Http2Response;
  if (stream !== undefined) return response.writableEnded && stream.rstCode === 0;
  // What is written to a connection that is closed is discarded, and counts as finished. A response that was sent has let go of its connection.
  return response.writableFinished && response.socket?.destroyed !== true;
}

function endResponse(response: PendingResponse, isWhole: boolean): void {
  const pending = response[PENDING];
  if (pending === undefined) return;
  delete response[PENDING];
  for (const onEnd of pending) onEnd(isWhole);
}

/**
 * Closes a queued response with its connection, as Node closes one whose turn has come: the response of a pipelined request that waits for
 * the one before it. The edge calls it for each request that has a response, before anything waits for its end.
 */
export function closeWithConnection(response: ServerResponse): void {
  const socket = response.req?.socket as QueueingSocket | undefined;
  // What serverless adapters make up in place of a socket closes nothing.
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
