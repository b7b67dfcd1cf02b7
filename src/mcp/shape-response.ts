/* Changes the response of an MCP endpoint while it is written, by the SDK on the raw response or by a framework's reply: streams that no
 * proxy buffers, signed session IDs, and tool lists without the tools that the client may not call. */
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { CallOutcomes } from './mcp-answer.js';
import { filterToolList, type IsVisible, ToolListEvents } from './filter-tools.js';
import { SESSION_HEADER } from './session-binding.js';

export interface ResponseShape {
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

type Chunk = string | Uint8Array | null | undefined | (() => void);
type Head = readonly [status: number, reason: string | undefined];

/** How the body passes: `undefined` until its type is known. */
type Mode = 'untouched' | 'collected' | 'events';

export function shapeResponse(response: ServerResponse, shape: ResponseShape): void {
  const { isVisible, outcomes } = shape;
  const { writeHead, write, end, flushHeaders } = response;
  let mode: Mode | undefined;
  let isStream = false;
  let head: Head | undefined;
  const parts: Buffer[] = [];
  let length = 0;
  const events = isVisible && new ToolListEvents(isVisible, shape.maxBytes);

  const cutOff = (): void => {
    shape.onUnreadable();
    response.destroy();
  };

  response.writeHead = function (this: ServerResponse, status: number, ...rest: unknown[]): ServerResponse {
    if (mode !== undefined || status < 200)
      return Reflect.apply(writeHead, this, [status, ...rest]) as ServerResponse;
    const reason = typeof rest[0] === 'string' ? rest[0] : undefined;
    const own = (reason === undefined ? rest[0] : rest[1]) as OwnHeaders;
    isStream = isEventStream(headerOf(own, 'content-type') ?? response.getHeader('content-type'));
    if (isStream && !response.hasHeader('x-accel-buffering')) response.setHeader('X-Accel-Buffering', 'no');
    mode = isVisible === undefined ? 'untouched' : isStream ? 'events' : 'collected';
    const session = headerOf(own, SESSION_HEADER) ?? response.getHeader(SESSION_HEADER);
    const signed = session === undefined ? undefined : shape.signSession?.(String(session));
    if (mode === 'untouched' && signed === undefined)
      return Reflect.apply(writeHead, this, [status, ...rest]) as ServerResponse;
    setAll(response, own);
    if (signed !== undefined) response.setHeader('Mcp-Session-Id', signed);
    head = [status, reason];
    if (mode === 'untouched') {
      sendHead();
      return this;
    }
    // Filtering changes the length; with the tag of the whole list, a cache would serve one list to two agents.
    response.removeHeader('Content-Length');
    response.removeHeader('ETag');
    if (mode === 'events') sendHead();
    return this;
  } as ServerResponse['writeHead'];

  const sendHead = (): void => {
    if (head === undefined) return;
    const [status, reason] = head;
    head = undefined;
    Reflect.apply(writeHead, response, reason === undefined ? [status] : [status, reason]);
  };

  const begin = (): Mode => {
    if (mode === undefined) response.writeHead(response.statusCode);
    return mode!;
  };

  if (isVisible === undefined && outcomes === undefined) return;

  /** Keeps a part; `false` where there were too many. */
  const collect = (chunk: Buffer): boolean => {
    length += chunk.length;
    if (length > shape.maxBytes) {
      cutOff();
      return false;
    }
    parts.push(chunk);
    return true;
  };

  const observe = (chunk: Chunk, encoding: unknown): void => {
    if (outcomes === undefined) return;
    if (mode === undefined) isStream = isEventStream(response.getHeader('content-type'));
    outcomes.push(toBuffer(chunk, encoding), isStream);
  };

  response.write = function (this: ServerResponse, chunk: Chunk, ...rest: unknown[]): boolean {
    observe(chunk, rest[0]);
    // Not begun: Node completes a head that has not been written.
    if (isVisible === undefined) return Reflect.apply(write, this, [chunk, ...rest]) as boolean;
    begin();
    const done = rest.find(each => typeof each === 'function') as (() => void) | undefined;
    const bytes = toBuffer(chunk, rest[0]);
    if (mode === 'collected') {
      const kept = collect(bytes);
      if (kept && done !== undefined) process.nextTick(done);
      return kept;
    }
    const passed = events!.push(bytes);
    if (passed === undefined) {
      cutOff();
      return false;
    }
    if (passed !== '') return Reflect.apply(write, this, done ? [passed, done] : [passed]) as boolean;
    if (done !== undefined) process.nextTick(done);
    return true;
  } as ServerResponse['write'];

  response.end = function (this: ServerResponse, ...rest: unknown[]): ServerResponse {
    const done = rest.find(each => typeof each === 'function') as (() => void) | undefined;
    const chunk = typeof rest[0] === 'function' ? undefined : (rest[0] as Chunk);
    observe(chunk, rest[1]);
    outcomes?.end(isStream);
    if (isVisible === undefined) return Reflect.apply(end, this, rest) as ServerResponse;
    begin();
    const bytes = toBuffer(chunk, rest[1]);
    let last: string | Buffer;
    if (mode === 'collected') {
      if (!collect(bytes)) return this;
      const whole = Buffer.concat(parts);
      const text = whole.toString('utf8');
      const filtered = filterToolList(text, isVisible);
      last = filtered === text ? whole : Buffer.from(filtered);
      if (last.length > 0) response.setHeader('Content-Length', last.length);
      sendHead();
    } else {
      const passed = events!.push(bytes);
      if (passed === undefined) {
        cutOff();
        return this;
      }
      last = passed + events!.end();
    }
    return Reflect.apply(end, this, done ? [last, done] : [last]) as ServerResponse;
  } as ServerResponse['end'];

  if (isVisible === undefined) return;
  response.flushHeaders = function (this: ServerResponse): void {
    // A collected answer's head waits for its length; Node would send the text "null" in its place.
    if (begin() !== 'collected') flushHeaders.call(this);
  };
}

const isEventStream = (type: unknown): boolean => /^text\/event-stream/i.test(String(type));

type OwnHeaders = OutgoingHttpHeaders | readonly unknown[] | undefined;

function* pairsOf(own: OwnHeaders): Generator<[name: string, value: OutgoingHttpHeader]> {
  if (own === undefined || own === null) return;
  if (!Array.isArray(own)) {
    for (const [name, value] of Object.entries(own))
      if (value !== undefined) yield [name, value as OutgoingHttpHeader];
  } else if (Array.isArray(own[0])) {
    yield* own as [string, OutgoingHttpHeader][];
  } else {
    for (let index = 0; index < own.length; index += 2)
      yield [String(own[index]), own[index + 1] as OutgoingHttpHeader];
  }
}

function headerOf(own: OwnHeaders, wanted: string): OutgoingHttpHeader | undefined {
  for (const [name, value] of pairsOf(own)) if (name.toLowerCase() === wanted) return value;
  return undefined;
}

function setAll(response: ServerResponse, own: OwnHeaders): void {
  const seen = new Set<string>();
  for (const [name, value] of pairsOf(own)) {
    const lower = name.toLowerCase();
    if (seen.has(lower)) response.appendHeader(name, value as string);
    else response.setHeader(name, value);
    seen.add(lower);
  }
}

function toBuffer(chunk: Chunk, encoding: unknown): Buffer {
  if (chunk === undefined || chunk === null || typeof chunk === 'function') return Buffer.alloc(0);
  if (typeof chunk !== 'string') return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
}
