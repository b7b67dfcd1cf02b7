/* The headers of every response, added at the one place that all responses pass: `writeHead` of Node's response. Whoever answers (a
 * handler, a filter, the framework's 404, another library on the raw server), the headers are there once, and what the
 * answer's own author chose wins.
 *
 * Nearly always the author's headers and these have no name in common. Then these go into the head as the text that they became at
 * start-up: Node would look at every character of every header anew for each response, which costs more than all the rest. */
import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { eachPair, sharedValue } from '../common/header-template.js';
import {
  REQUEST_STATE,
  type RequestState,
  type RequestWithState,
  type ResponseWithState,
} from '../common/request-state.js';
import { fixedHeadersOf, requestIdPair } from './fixed-headers.js';
import { appendToHead, CAN_APPEND_TO_HEAD, isHeaderValue } from './head-text.js';
import {
  CONTENT_TYPE,
  isDropped,
  isEntangled,
  isForeignCorsHeader,
  mergeVary,
  withoutCharset,
} from './header-rules.js';
import { type OwnHeaders, setOwnHeaders, withExactType } from './own-headers.js';

/** Makes a response write its headers through its state. */
export function attachState(response: ServerResponse, request: IncomingMessage, state: RequestState): void {
  (response as ResponseWithState)[REQUEST_STATE] = state;
  (request as RequestWithState)[REQUEST_STATE] = state;
  state.request = request;
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
  try {
    // Lists may name a header twice.
    const sent = Array.isArray(own) ? undefined : withExactType(own as OutgoingHttpHeaders | undefined);
    if (sent === undefined) setOwnHeaders(this, own);
    const lines = linesFor(this, status, sent);
    if (lines !== undefined) {
      writeOriginal(this, status, reason, sent);
      appendToHead(this, lines);
      return this;
    }
    setOwnHeaders(this, sent);
    addMissingHeaders(this, state, status);
    return writeOriginal(this, status, reason, undefined);
  } catch (error) {
    // Node refuses a header of the author's: another answer comes in place of this one.
    state.outcome.headersWritten = false;
    throw error;
  }
}

/**
 * Counts a request that failed before the guard of the limits saw it. Here and not in an exception filter, which an app may replace: every
 * response passes here.
 */
function chargeFailed(state: RequestState, status: number): void {
  if (state.limits.charged || !state.outcome.routed) return;
  if (status >= 400 || state.outcome.failed || state.challenge !== undefined)
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

/** HTTP/2's `end()` and `flushHeaders()` send headers without passing `writeHead`. */
function coverHttp2Response(response: ServerResponse): void {
  const { end, flushHeaders } = response;
  const settle = (): void => {
    const state = (response as ResponseWithState)[REQUEST_STATE]!;
    if (state.outcome.headersWritten || response.headersSent) return;
    state.outcome.headersWritten = true;
    chargeFailed(state, response.statusCode);
    addMissingHeaders(response, state, response.statusCode);
  };
  response.end = ((...args: Parameters<ServerResponse['end']>) => {
    settle();
    return end.apply(response, args);
  }) as ServerResponse['end'];
  response.flushHeaders = () => {
    settle();
    flushHeaders.call(response);
  };
}

/**
 * The lines that go into a response's head as they are; `undefined` if something that its author set changes one of them or is changed
 * by one, or if its head is no text of Node's (app.inject(), HTTP/2, a library that wraps it).
 */
function linesFor(
  response: ResponseWithState,
  status: number,
  own: OutgoingHttpHeaders | undefined,
): string | undefined {
  const state = response[REQUEST_STATE]!;
  if (!CAN_APPEND_TO_HEAD || state.writeHead !== ServerResponse.prototype.writeHead) return undefined;
  let contentType: unknown;
  for (const name of response.getHeaderNames()) {
    if (isEntangled(name, state, status)) return undefined;
    if (name === CONTENT_TYPE) contentType = response.getHeader(name);
  }
  for (const name in own) {
    const lower = name.toLowerCase();
    if (own[name] === undefined || isEntangled(lower, state, status)) return undefined;
    if (lower === CONTENT_TYPE) contentType = own[name];
  }
  if (contentType !== withoutCharset(contentType)) return undefined;
  const { text, sharedText } = fixedHeadersOf(state, contentType, status);
  let lines = state.cors.grant === undefined ? text : sharedText;
  for (const pairs of [requestIdPair(state), state.cors.grant, state.limits.quota, state.challenge]) {
    if (pairs === undefined) continue;
    for (let index = 0; index < pairs.length; index += 2) {
      const value = pairs[index + 1]!;
      if (isHeaderValue(value)) lines += `${pairs[index]!}: ${value}\r\n`;
    }
  }
  return lines;
}

/** The general way: each of the module's headers is set on the response, if its author leaves room for it. */
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
      response.setHeader(name, state.cors.grant === undefined ? value : sharedValue(name, value));
    } else if (name === 'Vary') {
      response.setHeader(name, mergeVary(response.getHeader(name)!));
    } else if (name === 'Cache-Control' && state.template.forceNoStore) {
      response.setHeader(name, value);
    }
  });
  for (const pairs of [requestIdPair(state), state.cors.grant, state.limits.quota, state.challenge]) {
    eachPair(pairs ?? [], (name, value) => {
      // To throw here would end the process: whoever writes a head is not prepared for an error of somebody else's header.
      if (!response.hasHeader(name) && isHeaderValue(value)) response.setHeader(name, value);
    });
  }
}
