/* Adds the module's headers in `writeHead` of Node's response, which every response passes: those of handlers, filters,
 * the framework's 404 and libraries on the raw server. Each header is sent once, and a header that the handler has set
 * wins.
 *
 * Usually the handler's headers do not conflict with the module's. Then the module's are appended to the head as text
 * that was serialized at start-up, since Node's validation of each header costs more than everything else here. */
import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import {
  eachPair,
  type FixedHeaders,
  type HeaderTemplate,
  type ResponseKind,
  grantedValue,
} from '../common/header-template.js';
import { PROBLEM_CONTENT_TYPE } from '../common/problem.js';
import {
  REQUEST_STATE,
  type RequestState,
  type RequestWithState,
  type ResponseWithState,
} from '../common/request-state.js';
import {
  CONTENT_TYPE,
  isConflicting,
  isDropped,
  isForeignCorsHeader,
  mergeVary,
  type OwnHeaders,
  setOwnHeaders,
  withExactType,
  withoutCharset,
} from './header-rules.js';

/** Attaches the state to a response and its request, and replaces `writeHead`. */
export function attachState(response: ServerResponse, request: IncomingMessage, state: RequestState): void {
  (response as ResponseWithState)[REQUEST_STATE] = state;
  (request as RequestWithState)[REQUEST_STATE] = state;
  state.response = response;
  response.writeHead = writeHead as ServerResponse['writeHead'];
  if (request.httpVersionMajor >= 2) coverHttp2Response(response);
}

function writeHead(
  this: ResponseWithState,
  status: number,
  reasonOrHeaders?: string | OwnHeaders,
  headersAfterReason?: OwnHeaders,
): ServerResponse {
  const state = this[REQUEST_STATE]!;
  const reason = typeof reasonOrHeaders === 'string' ? reasonOrHeaders : undefined;
  const own = reason === undefined ? (reasonOrHeaders as OwnHeaders | undefined) : headersAfterReason;
  if (state.outcome.headersWritten || this.headersSent) return writeOriginal(this, status, reason, own);
  state.outcome.headersWritten = true;
  chargeFailed(state, status);
  state.reportRejection(status);
  try {
    // Lists may contain a header twice.
    const sent = Array.isArray(own) ? undefined : withExactType(own as OutgoingHttpHeaders | undefined);
    if (sent === undefined) setOwnHeaders(this, own);
    const lines = linesFor(this, status, sent);
    if (lines !== undefined) {
      writeOriginal(this, status, reason, sent);
      appendToHead(this, lines);
    } else {
      setOwnHeaders(this, sent);
      addMissingHeaders(this, state, status);
      writeOriginal(this, status, reason, undefined);
    }
    state.outcome.onHeadWritten?.(state, status);
    return this;
  } catch (error) {
    // Node rejects a header of the handler: another response follows.
    state.outcome.headersWritten = false;
    throw error;
  }
}

/**
 * Charges a request that failed before `RateLimitGuard`. Not in an exception filter, which an app may replace: every response passes here.
 */
function chargeFailed(state: RequestState, status: number): void {
  if (state.limits.charged || !state.outcome.routed) return;
  if (status >= 400 || state.outcome.failed || state.rejectionHeaders !== undefined)
    state.limits.chargeFailed?.(state);
}

function writeOriginal(
  response: ResponseWithState,
  status: number,
  reason: string | undefined,
  own: OwnHeaders | undefined,
): ServerResponse {
  const original = response[REQUEST_STATE]!.writeHead as (...args: unknown[]) => ServerResponse;
  if (reason !== undefined) return original.call(response, status, reason, own);
  return own === undefined ? original.call(response, status) : original.call(response, status, own);
}

/** In HTTP/2, `end()` and `flushHeaders()` send headers without calling `writeHead`. */
function coverHttp2Response(response: ServerResponse): void {
  const { end, flushHeaders } = response;
  const addHeaders = (): void => {
    const state = (response as ResponseWithState)[REQUEST_STATE]!;
    if (state.outcome.headersWritten || response.headersSent) return;
    state.outcome.headersWritten = true;
    chargeFailed(state, response.statusCode);
    state.reportRejection(response.statusCode);
    addMissingHeaders(response, state, response.statusCode);
    state.outcome.onHeadWritten?.(state, response.statusCode);
  };
  response.end = ((...args: Parameters<ServerResponse['end']>) => {
    addHeaders();
    return end.apply(response, args);
  }) as ServerResponse['end'];
  response.flushHeaders = () => {
    addHeaders();
    flushHeaders.call(response);
  };
}

/**
 * The lines to append to the head; `undefined` if a header of the handler conflicts with one of them, or if the head is not Node's own text
 * (app.inject(), HTTP/2, a library that wraps the response), or is not written to a socket: a serverless adapter reads the response's headers
 * from `getHeaders()`, which the text does not reach.
 */
function linesFor(
  response: ResponseWithState,
  status: number,
  own: OutgoingHttpHeaders | undefined,
): string | undefined {
  const state = response[REQUEST_STATE]!;
  if (!CAN_APPEND_TO_HEAD || state.writeHead !== ServerResponse.prototype.writeHead) return undefined;
  if (!(response.socket instanceof Socket)) return undefined;
  let contentType: unknown;
  for (const name of response.getHeaderNames()) {
    if (isConflicting(name, state, status)) return undefined;
    if (name === CONTENT_TYPE) contentType = response.getHeader(name);
  }
  for (const name in own) {
    const lower = name.toLowerCase();
    if (own[name] === undefined || isConflicting(lower, state, status)) return undefined;
    if (lower === CONTENT_TYPE) contentType = own[name];
  }
  if (contentType !== withoutCharset(contentType)) return undefined;
  const { text, grantedText } = fixedHeadersOf(state, contentType, status);
  let lines = state.cors.grantHeaders === undefined ? text : grantedText;
  const { id, template, cors, limits, rejectionHeaders } = state;
  // An ID is checked when it is chosen.
  if (id !== '' && template.requestIdHeader !== undefined) lines += `${template.requestIdHeader}: ${id}\r\n`;
  if (cors.grantHeaders !== undefined) lines += linesOf(cors.grantHeaders);
  lines += limits.quotaLines ?? linesOf(limits.quotaHeaders ?? []);
  return rejectionHeaders === undefined ? lines : lines + linesOf(rejectionHeaders);
}

/** The lines of pairs with a valid value. */
function linesOf(pairs: readonly string[]): string {
  let lines = '';
  for (let index = 0; index < pairs.length; index += 2) {
    const value = pairs[index + 1]!;
    if (isHeaderValue(value)) lines += `${pairs[index]!}: ${value}\r\n`;
  }
  return lines;
}

/** The general path: sets each of the module's headers that the handler has not set. */
function addMissingHeaders(response: ServerResponse, state: RequestState, status: number): void {
  for (const name of response.getHeaderNames()) {
    if (isDropped(name, state.template, status) || isForeignCorsHeader(name, state)) {
      response.removeHeader(name);
    }
  }
  const contentType = response.getHeader(CONTENT_TYPE);
  if (contentType !== undefined) {
    const exact = withoutCharset(contentType);
    if (exact !== contentType) response.setHeader('Content-Type', exact);
  }
  eachPair(fixedHeadersOf(state, contentType, status).pairs, (name, value) => {
    if (!response.hasHeader(name)) {
      response.setHeader(name, state.cors.grantHeaders === undefined ? value : grantedValue(name, value));
    } else if (name === 'Vary') {
      response.setHeader(name, mergeVary(response.getHeader(name)!));
    } else if (name === 'Cache-Control' && state.template.forceNoStore) {
      response.setHeader(name, value);
    }
  });
  for (const pairs of [
    requestIdPair(state),
    state.cors.grantHeaders,
    state.limits.quotaHeaders,
    state.rejectionHeaders,
  ]) {
    eachPair(pairs ?? [], (name, value) => {
      // An error here would end the process: code that writes a head does not expect an error of another header.
      if (!response.hasHeader(name) && isHeaderValue(value)) response.setHeader(name, value);
    });
  }
}

/**
 * Between `writeHead` and the first bytes of the body, Node keeps the head as text in this undocumented member. Appending to it is tested
 * once at start-up; if it does not work, headers are set one by one.
 */
type ResponseWithHead = ServerResponse & { _header: string };

/** The empty line that ends a head. */
const END = '\r\n';

/** Characters that Node forbids in a header value: they could end the line and begin another. */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;

export const isHeaderValue = (value: string): boolean => !FORBIDDEN.test(value);

/** Appends header lines to a response whose head is written and not yet sent. */
function appendToHead(response: ServerResponse, lines: string): void {
  const { _header: head } = response as ResponseWithHead;
  (response as ResponseWithHead)._header = head.slice(0, -END.length) + lines + END;
}

export const CAN_APPEND_TO_HEAD: boolean = testAppend();

function testAppend(): boolean {
  // Bun's server sends headers from a table of its own: a response of its server has no such text, while the one below has.
  if (process.versions.bun !== undefined) return false;
  const wire = new PassThrough();
  const request = new IncomingMessage(wire as unknown as Socket);
  Object.assign(request, { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 });
  try {
    const response = new ServerResponse(request);
    response.assignSocket(wire as unknown as Socket);
    response.writeHead(200, { First: '1', 'Content-Length': '2' });
    appendToHead(response, 'Second: 2\r\nThird: 3\r\n');
    response.end('ok');
    const sent = String(wire.read());
    return /^HTTP\/1\.1 200 OK\r\nFirst: 1\r\n(?:[\w-]+: .+\r\n)+Second: 2\r\nThird: 3\r\n\r\nok$/.test(sent);
  } catch {
    return false;
  } finally {
    wire.destroy();
  }
}

/** What chooses the module's fixed headers, beside the content type and the status. */
interface FixedHeadersState {
  readonly id: string;
  readonly template: HeaderTemplate;
  readonly client: { readonly secure: boolean };
}

/** The headers of an error response without a response object, as alternating names and values. */
export function fixedHeaders(state: FixedHeadersState): readonly string[] {
  return [...requestIdPair(state), ...fixedHeadersOf(state, PROBLEM_CONTENT_TYPE, 400).pairs];
}

function requestIdPair({ id, template }: FixedHeadersState): readonly string[] {
  return id === '' || template.requestIdHeader === undefined ? [] : [template.requestIdHeader, id];
}

function fixedHeadersOf(
  { template, client }: FixedHeadersState,
  contentType: unknown,
  status: number,
): FixedHeaders {
  const variants = status >= 400 ? template.errors : template;
  const variant = variants[kindOf(contentType, status)];
  return client.secure ? variant.secure : variant.plain;
}

function kindOf(contentType: unknown, status: number): ResponseKind {
  if (status === 304) return 'notModified';
  if (contentType === undefined) return 'untyped';
  return typeof contentType === 'string' && PAGE.test(contentType) ? 'page' : 'data';
}

/** HTML, and the JavaScript types of the MIME Sniffing standard, section 4.6. */
const PAGE =
  /^\s*(?:text\/html|application\/xhtml\+xml|(?:text|application)\/(?:x-)?(?:java|ecma)script|text\/(?:javascript1\.[0-5]|jscript|livescript))\s*(?:;|$)/i;
