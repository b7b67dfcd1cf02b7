/* Changes the response of an MCP endpoint while it is written, by the SDK on the raw response or by a framework's reply: streams that no
 * proxy buffers, signed session IDs, and tool lists without the tools that the client may not call. */
import type { ServerResponse } from 'node:http';
import { type OwnHeaders, setOwnHeaders } from '../http/header-rules.js';
import { type CallOutcomes, type IsVisible, ToolListEvents, ToolListText } from './response-messages.js';
import { SESSION_HEADER } from './session-binding.js';

interface ResponseShape {
  /** Which tools the client may see; `undefined` for a response without a tool list. */
  readonly isVisible: IsVisible | undefined;
  /** Reads the outcomes of calls; `undefined` for a response to no call. */
  readonly outcomes: CallOutcomes | undefined;
  /** The session ID that the client gets in place of the server's; `undefined` where sessions are not bound. */
  readonly signSession: ((id: string) => string) | undefined;
  /** The longest tool list that can be filtered. */
  readonly maxBytes: number;
  /** Called when a list is too long; the response is cut off. */
  readonly onUnreadable: () => void;
}

export function shapeResponse(response: ServerResponse, shape: ResponseShape): void {
  const { isVisible, outcomes, signSession } = shape;
  const { writeHead } = response;
  let isBegun = false;

  response.writeHead = function (this: ServerResponse, ...args: [status: number]): ServerResponse {
    if (isBegun || args[0] < 200) return Reflect.apply(writeHead, this, args) as ServerResponse;
    const head = mergeHead(response, args);
    isBegun = true;
    if (isEventStream(response) && !response.hasHeader('x-accel-buffering'))
      response.setHeader('X-Accel-Buffering', 'no');
    const session = response.getHeader(SESSION_HEADER);
    if (session !== undefined && signSession !== undefined)
      response.setHeader('Mcp-Session-Id', signSession(String(session)));
    return Reflect.apply(writeHead, this, head) as ServerResponse;
  } as ServerResponse['writeHead'];

  if (isVisible !== undefined) filterBody(response, isVisible, shape);
  if (outcomes !== undefined) {
    observeBody(
      response,
      bytes => outcomes.push(bytes, isEventStream(response)),
      () => outcomes.end(isEventStream(response)),
    );
  }
}

function filterBody(
  response: ServerResponse,
  isVisible: IsVisible,
  { maxBytes, onUnreadable }: ResponseShape,
): void {
  const { writeHead, write, end, flushHeaders } = response;
  let filter: ToolListText | ToolListEvents | undefined;
  /** The head of a JSON text: it waits for the length. */
  let pending: readonly unknown[] | undefined;

  response.writeHead = function (this: ServerResponse, ...args: [status: number]): ServerResponse {
    if (filter !== undefined || args[0] < 200) return Reflect.apply(writeHead, this, args) as ServerResponse;
    const head = mergeHead(response, args);
    // Filtering changes the length; with the tag of the whole list, a cache would serve one list to two agents.
    response.removeHeader('Content-Length');
    response.removeHeader('ETag');
    const isStream = isEventStream(response);
    filter = isStream ? new ToolListEvents(isVisible, maxBytes) : new ToolListText(isVisible, maxBytes);
    if (isStream) Reflect.apply(writeHead, this, head);
    else pending = head;
    return this;
  } as ServerResponse['writeHead'];

  const begin = (): void => {
    if (filter === undefined) response.writeHead(response.statusCode);
  };

  /** @returns what can be sent now; `undefined` after the response was cut off */
  const push = (chunk: unknown, encoding: unknown): string | undefined => {
    begin();
    const passed = filter?.push(toBuffer(chunk, encoding));
    if (passed === undefined) {
      onUnreadable();
      response.destroy();
    }
    return passed;
  };

  response.write = function (this: ServerResponse, ...args: unknown[]): boolean {
    const passed = push(args[0], args[1]);
    if (passed === undefined) return false;
    const done = callbackOf(args);
    if (passed !== '') return Reflect.apply(write, this, [passed, ...done]) as boolean;
    if (done[0] !== undefined) process.nextTick(done[0]);
    return true;
  } as ServerResponse['write'];

  response.end = function (this: ServerResponse, ...args: unknown[]): ServerResponse {
    const passed = push(args[0], args[1]);
    if (passed === undefined) return this;
    let last = filter!.end();
    if (typeof last === 'string') last = passed + last;
    else if (last.length > 0) response.setHeader('Content-Length', last.length);
    if (pending !== undefined) Reflect.apply(writeHead, response, pending);
    pending = undefined;
    // In HTTP/2, end() calls write().
    response.write = write;
    return Reflect.apply(end, this, [last, ...callbackOf(args)]) as ServerResponse;
  } as ServerResponse['end'];

  response.flushHeaders = function (this: ServerResponse): void {
    begin();
    // A head that waits for its length is not flushed: Node would send the text "null" in its place.
    if (pending === undefined) flushHeaders.call(this);
  };
}

/** Calls `onChunk` with each part of a response's body, and `onEnd` before its end is written. The response does not change. */
export function observeBody(
  response: ServerResponse,
  onChunk: (bytes: Buffer) => void,
  onEnd: () => void,
): void {
  const { write, end } = response;
  response.write = function (this: ServerResponse, ...args: unknown[]): boolean {
    onChunk(toBuffer(args[0], args[1]));
    return Reflect.apply(write, this, args) as boolean;
  } as ServerResponse['write'];
  response.end = function (this: ServerResponse, ...args: unknown[]): ServerResponse {
    onChunk(toBuffer(args[0], args[1]));
    onEnd();
    return Reflect.apply(end, this, args) as ServerResponse;
  } as ServerResponse['end'];
}

export const isEventStream = (response: ServerResponse): boolean =>
  /^text\/event-stream/i.test(String(response.getHeader('content-type')));

type Callback = () => void;

const callbackOf = (args: readonly unknown[]): [] | [Callback] => {
  const done = args.find((each): each is Callback => typeof each === 'function');
  return done === undefined ? [] : [done];
};

/** Sets the headers that `writeHead()` was called with. @returns its arguments without them */
function mergeHead(response: ServerResponse, [status, ...rest]: readonly unknown[]): readonly unknown[] {
  const hasReason = typeof rest[0] === 'string';
  setOwnHeaders(response, (hasReason ? rest[1] : rest[0]) as OwnHeaders | undefined);
  return hasReason ? [status, rest[0]] : [status];
}

function toBuffer(chunk: unknown, encoding: unknown): Buffer {
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  return chunk instanceof Uint8Array
    ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    : Buffer.alloc(0);
}
