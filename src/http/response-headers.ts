/* The headers of every response, added at the one place that all responses pass: `writeHead` of Node's response. Whoever answers (a
 * handler, a filter, the framework's 404, another library on the raw server), the headers are there once, and what the
 * answer's own author chose wins.
 *
 * Nearly always the author's headers and these have no name in common. Then these go into the head as the text that they became at
 * start-up: Node would look at every character of every header anew for each response, which costs more than all the rest. */
import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import { appendToHead, CAN_APPEND_TO_HEAD, isHeaderValue } from './head-text.js';
import {
  CORS_NAMES,
  eachPair,
  type HeaderTemplate,
  sharedValue,
  type FixedHeaders,
} from '../common/header-template.js';
import { PROBLEM_CONTENT_TYPE } from '../common/problem.js';
import {
  REQUEST_STATE,
  type RequestState,
  type RequestWithState,
  type ResponseWithState,
} from '../common/request-state.js';

interface FixedHeadersState {
  readonly id: string;
  readonly template: HeaderTemplate;
  readonly client: { readonly secure: boolean };
}

/** The headers that stand whatever error is answered, name and value in turn: for answers without a response object. */
export function fixedHeaders(state: FixedHeadersState): readonly string[] {
  return [...requestIdPair(state), ...fixedHeadersOf(state, undefined, 400).pairs];
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
  const variant = isHtml(contentType) ? variants.html : variants.data;
  return client.secure ? variant.secure : variant.plain;
}

/** Makes a response write its headers through its state. */
export function attachState(response: ServerResponse, request: IncomingMessage, state: RequestState): void {
  (response as ResponseWithState)[REQUEST_STATE] = state;
  (request as RequestWithState)[REQUEST_STATE] = state;
  state.request = request;
  state.response = response;
  response.writeHead = writeHead as ServerResponse['writeHead'];
  if (request.httpVersionMajor >= 2) coverHttp2Response(response);
}

type OwnHeaders =
  OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | readonly [string, OutgoingHttpHeader][];

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

function isHtml(contentType: unknown): boolean {
  return typeof contentType === 'string' && /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(contentType);
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

/** Whether a header of the author's has to be judged together with the module's. */
function isEntangled(lower: string, { template, cors: { grant } }: RequestState, status: number): boolean {
  return (
    template.names.has(lower) ||
    LATE_HEADERS.has(lower) ||
    isDropped(lower, template, status) ||
    (grant !== undefined && CORS_NAMES.has(lower)) ||
    // With it, Node sends the head as soon as it is written.
    lower === 'expect'
  );
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

function setOwnHeaders(response: ServerResponse, own: OwnHeaders | undefined): void {
  const repeated = new Map<string, OutgoingHttpHeader>();
  eachHeader(own, (name, value) => {
    const lower = name.toLowerCase();
    const earlier = repeated.get(lower);
    const whole = earlier === undefined ? value : [earlier, value].flat().map(String);
    repeated.set(lower, whole);
    response.setHeader(name, whole as string);
  });
}

const CONTENT_TYPE = 'content-type';

/** Names that a grant, a quota or a challenge adds: a handler may have chosen them too. */
const LATE_HEADERS: ReadonlySet<string> = new Set([
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'www-authenticate',
  'x-token-expired',
]);

/** `X-Powered-By` tells attackers what to try; what lets a cache keep an answer was not meant for the error in its place. */
function isDropped(lower: string, template: HeaderTemplate, status: number): boolean {
  if (lower === 'x-powered-by') return template.removePoweredBy;
  if (status < 400) return false;
  return lower === 'etag' || (template.forceNoStoreOnErrors && isCachePolicy(lower));
}

/** `Cache-Control`, and what caches put above it: RFC 9213 (`CDN-Cache-Control` and its like), `Surrogate-Control`, `Expires`. */
function isCachePolicy(lower: string): boolean {
  return lower.endsWith('cache-control') || lower === 'surrogate-control' || lower === 'expires';
}

/** What a grant decides; the rest of `Access-Control-*` belongs to a preflight's answer, which is our own. */
const GRANTED_NAMES: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
]);

/** CORS is decided in one place: what a handler or another middleware says of it is not sent, be it `*`. */
function isForeignCorsHeader(lower: string, { cors: { grant }, template }: RequestState): boolean {
  if (!CORS_NAMES.has(lower)) return false;
  return grant === undefined ? template.names.has(lower) : GRANTED_NAMES.has(lower);
}

/** Express adds a charset to every text; JSON has no such parameter (RFC 8259 section 11). */
function withoutCharset<T>(value: T): T | string {
  return typeof value === 'string' && value.startsWith(PROBLEM_CONTENT_TYPE) ? PROBLEM_CONTENT_TYPE : value;
}

function mergeVary(own: OutgoingHttpHeader): string {
  const text = Array.isArray(own) ? own.join(', ') : String(own);
  const names = text.split(',').map(name => name.trim().toLowerCase());
  return names.includes('*') || names.includes('origin') ? text : text === '' ? 'Origin' : `${text}, Origin`;
}

function withExactType(own: OutgoingHttpHeaders | undefined): OutgoingHttpHeaders | undefined {
  for (const name in own) {
    if (name.length !== CONTENT_TYPE.length || name.toLowerCase() !== CONTENT_TYPE) continue;
    const value = own[name]!;
    const exact = withoutCharset(value);
    return exact === value ? own : { ...own, [name]: exact };
  }
  return own;
}

/** Node takes an object, a flat list of names and values, or a list of pairs. */
function eachHeader(
  own: OwnHeaders | undefined,
  visit: (name: string, value: OutgoingHttpHeader) => void,
): void {
  if (own === undefined || own === null) return;
  if (!Array.isArray(own)) {
    for (const name in own) {
      const value = (own as OutgoingHttpHeaders)[name];
      if (value !== undefined) visit(name, value);
    }
  } else if (Array.isArray(own[0])) {
    for (const [name, value] of own as [string, OutgoingHttpHeader][]) visit(name, value);
  } else {
    for (let index = 0; index < own.length; index += 2) {
      visit(String(own[index]), own[index + 1] as OutgoingHttpHeader);
    }
  }
}
