/* The headers of every response, added at the one place that all responses pass: `writeHead` of Node's response. Whoever answers (a
 * handler, a filter, the framework's 404, another library on the raw server), the headers are there once, and what the
 * answer's own author chose wins. Everything that can be serialized at start-up was. */
import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import { PROBLEM_CONTENT_TYPE } from './problem.js';
import {
  REQUEST_STATE,
  type RequestState,
  type RequestWithState,
  type ResponseWithState,
} from './request-state.js';

/** Header pairs, ready to send: name and value in turn. */
interface HeaderVariant {
  /** Over HTTP. */
  readonly plain: readonly string[];
  /** Over HTTPS: the same and HSTS at the end, so that `slots` fits both. */
  readonly secure: readonly string[];
  /** Where the value of each (lower-case) name stands. */
  readonly slots: ReadonlyMap<string, number>;
}

export interface HeaderTemplate {
  readonly data: HeaderVariant;
  readonly html: HeaderVariant;
  readonly removePoweredBy: boolean;
  /** `no-store` also over a handler's own Cache-Control. */
  readonly forceNoStore: boolean;
}

export interface HeaderTemplateParts {
  /** The header that carries the request's ID; `undefined` for none. */
  readonly requestIdHeader: string | undefined;
  readonly common: readonly (readonly [string, string])[];
  readonly policies: readonly (readonly [string, string])[];
  readonly htmlPolicies: readonly (readonly [string, string])[];
  readonly strictTransportSecurity: string | undefined;
  readonly removePoweredBy: boolean;
  readonly noStore: boolean | 'force';
  /** Whether answers differ by origin. */
  readonly varyByOrigin: boolean;
}

/** The request ID is the first pair, so that its value has a fixed place. */
const REQUEST_ID_SLOT = 1;

export function compileHeaderTemplate(parts: HeaderTemplateParts): HeaderTemplate {
  const variant = (policies: readonly (readonly [string, string])[]): HeaderVariant => {
    const pairs: (readonly [string, string])[] = [...parts.common, ...policies];
    if (parts.requestIdHeader !== undefined) pairs.unshift([parts.requestIdHeader, '']);
    if (parts.noStore) pairs.push(['Cache-Control', 'no-store']);
    if (parts.varyByOrigin) pairs.push(['Vary', 'Origin']);
    const plain = pairs.flat();
    const hsts = parts.strictTransportSecurity;
    const secure = hsts === undefined ? plain : [...plain, 'Strict-Transport-Security', hsts];
    const slots = new Map<string, number>();
    for (let index = 0; index < secure.length; index += 2) slots.set(secure[index]!.toLowerCase(), index + 1);
    return { plain, secure, slots };
  };
  return {
    data: variant(parts.policies),
    html: variant(parts.htmlPolicies),
    removePoweredBy: parts.removePoweredBy,
    forceNoStore: parts.noStore === 'force',
  };
}

interface StandingState {
  readonly id: string;
  readonly template: HeaderTemplate;
  readonly client: { readonly secure: boolean };
}

/** The headers that stand whatever is answered, name and value in turn: for answers without a response object. */
export function standingHeaders(state: StandingState): readonly string[] {
  return headersOf(state.template.data, state);
}

function headersOf({ plain, secure }: HeaderVariant, state: StandingState): string[] {
  const headers = (state.client.secure ? secure : plain).slice();
  if (state.id !== '' && headers[REQUEST_ID_SLOT] === '') headers[REQUEST_ID_SLOT] = state.id;
  return headers;
}

/** Makes a response write its headers through its state. */
export function attachState(response: ServerResponse, request: IncomingMessage, state: RequestState): void {
  (response as ResponseWithState)[REQUEST_STATE] = state;
  (request as RequestWithState)[REQUEST_STATE] = state;
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
  let headers: OwnHeaders | undefined = own;
  if (!state.headersWritten && !this.headersSent) {
    state.headersWritten = true;
    if (isFast(this, state, own)) {
      headers = composeHeaders(state, status, own);
    } else {
      setOwnHeaders(this, own);
      addMissingHeaders(this, state, status);
      headers = undefined;
    }
  }
  const original = state.writeHead as (...args: unknown[]) => ServerResponse;
  if (reason === undefined)
    return headers === undefined ? original.call(this, status) : original.call(this, status, headers);
  return headers === undefined
    ? original.call(this, status, reason)
    : original.call(this, status, reason, headers);
}

/**
 * Whether the headers can go out as one list: on a response of Node's own with no header set on it yet. They cannot be read back
 * then, so responses that somebody wraps (app.inject(), HTTP/2) take the other way; so do lists, which may repeat names.
 */
function isFast(response: ServerResponse, state: RequestState, own: OwnHeaders | undefined): boolean {
  return (
    state.writeHead === ServerResponse.prototype.writeHead &&
    !Array.isArray(own) &&
    response.getHeaderNames().length === 0
  );
}

/** HTTP/2's `end()` and `flushHeaders()` send headers without passing `writeHead`. */
function coverHttp2Response(response: ServerResponse): void {
  const { end, flushHeaders } = response;
  const settle = (): void => {
    const state = (response as ResponseWithState)[REQUEST_STATE]!;
    if (state.headersWritten || response.headersSent) return;
    state.headersWritten = true;
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

function variantOf(state: RequestState, contentType: unknown): HeaderVariant {
  return isHtml(contentType) ? state.template.html : state.template.data;
}

function isHtml(contentType: unknown): boolean {
  return typeof contentType === 'string' && /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(contentType);
}

/** The fast way (Fastify, answers of the front): one flat list, no look-up per header. */
function composeHeaders(
  state: RequestState,
  status: number,
  own: OwnHeaders | undefined,
): OutgoingHttpHeader[] {
  const { template } = state;
  const variant = variantOf(state, own === undefined ? undefined : contentTypeOf(own));
  const headers: OutgoingHttpHeader[] = headersOf(variant, state);
  let chosen: Set<string> | undefined;
  if (state.grant !== undefined) setResourcePolicy(headers, variant);
  eachHeader(own, (name, value) => {
    const lower = name.toLowerCase();
    const slot = variant.slots.get(lower);
    if (slot !== undefined && slot < headers.length) {
      if (lower === 'vary') headers[slot] = mergeVary(value);
      else if (lower !== 'cache-control' || !template.forceNoStore) headers[slot] = value;
      return;
    }
    if (isDropped(lower, state, status) || isDeniedCorsHeader(lower, value, state)) return;
    if (LATE_HEADERS.has(lower)) (chosen ??= new Set()).add(lower);
    headers.push(name, lower === 'content-type' ? withoutCharset(value) : value);
  });
  for (const pairs of [state.grant, state.quota, state.challenge]) {
    if (pairs === undefined) continue;
    for (let index = 0; index < pairs.length; index += 2) {
      if (chosen !== undefined && chosen.has(pairs[index]!.toLowerCase())) continue;
      headers.push(pairs[index]!, pairs[index + 1]!);
    }
  }
  return headers;
}

/** The general way, for a response that carries headers already (Express, `setHeader`, HTTP/2). */
function addMissingHeaders(response: ServerResponse, state: RequestState, status: number): void {
  const { template } = state;
  for (const name of response.getHeaderNames()) {
    if (isDropped(name, state, status) || isDeniedCorsHeader(name, response.getHeader(name), state)) {
      response.removeHeader(name);
    }
  }
  const contentType = response.getHeader('content-type');
  if (contentType !== undefined) {
    const exact = withoutCharset(contentType as OutgoingHttpHeader);
    if (exact !== contentType) response.setHeader('Content-Type', exact);
  }
  const variant = variantOf(state, contentType);
  const headers = state.client.secure ? variant.secure : variant.plain;
  const crossOrigin = state.grant !== undefined;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!;
    const value = headers[index + 1]!;
    if (!response.hasHeader(name)) {
      response.setHeader(name, crossOrigin && name === RESOURCE_POLICY ? 'cross-origin' : value || state.id);
    } else if (name === 'Vary') {
      response.setHeader(name, mergeVary(response.getHeader(name)!));
    } else if (name === 'Cache-Control' && template.forceNoStore) {
      response.setHeader(name, value);
    }
  }
  for (const pairs of [state.grant, state.quota, state.challenge]) {
    if (pairs === undefined) continue;
    for (let index = 0; index < pairs.length; index += 2) {
      const name = pairs[index]!;
      if (!response.hasHeader(name)) response.setHeader(name, pairs[index + 1]!);
    }
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

const RESOURCE_POLICY = 'Cross-Origin-Resource-Policy';

/** A browser must not block, by the resource policy, what CORS has just allowed. */
function setResourcePolicy(headers: OutgoingHttpHeader[], variant: HeaderVariant): void {
  const slot = variant.slots.get('cross-origin-resource-policy');
  if (slot !== undefined) headers[slot] = 'cross-origin';
}

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

/** `X-Powered-By` tells attackers what to try; an ETag on an error would let a cache keep it. */
function isDropped(lower: string, state: RequestState, status: number): boolean {
  return (lower === 'x-powered-by' && state.template.removePoweredBy) || (lower === 'etag' && status >= 400);
}

/** What a grant decides; the rest of `Access-Control-*` belongs to a preflight's answer, which is our own. */
const GRANTED_NAMES: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
]);

/**
 * CORS is decided in one place. For an allowed origin its own answer stands; for a refused one, what another middleware
 * reflects is taken off. A handler's `Access-Control-Allow-Origin: *` stays (public data), but never with credentials.
 */
function isDeniedCorsHeader(lower: string, value: unknown, state: RequestState): boolean {
  if (!lower.startsWith('access-control-')) return false;
  if (state.grant !== undefined) return GRANTED_NAMES.has(lower);
  if (!state.unreadable) return false;
  return (
    lower === 'access-control-allow-credentials' || (lower === 'access-control-allow-origin' && value !== '*')
  );
}

/** Express adds a charset to every text; JSON has no such parameter (RFC 8259 section 11). */
function withoutCharset(value: OutgoingHttpHeader): OutgoingHttpHeader {
  return typeof value === 'string' && value.startsWith(PROBLEM_CONTENT_TYPE) ? PROBLEM_CONTENT_TYPE : value;
}

function mergeVary(own: OutgoingHttpHeader): string {
  const text = Array.isArray(own) ? own.join(', ') : String(own);
  const names = text.split(',').map(name => name.trim().toLowerCase());
  return names.includes('*') || names.includes('origin') ? text : text === '' ? 'Origin' : `${text}, Origin`;
}

function contentTypeOf(own: OwnHeaders): unknown {
  // As Fastify writes it; everybody else is asked name by name.
  const known = (own as OutgoingHttpHeaders)['content-type'];
  if (known !== undefined) return known;
  let contentType: unknown;
  eachHeader(own, (name, value) => {
    if (name.length === 12 && name.toLowerCase() === 'content-type') contentType = value;
  });
  return contentType;
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
