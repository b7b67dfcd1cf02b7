/* The module's state of one request, under a symbol of Node's response. The edge creates it; guards, interceptors, filters and parameter
 * decorators read it. Each feature writes its own part. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Agent } from './agent.js';
import type { Authority } from './authority.js';
import type { CallEnd } from './response-end.js';
import { type PlatformRequest, type PlatformResponse, rawRequest } from './http-request.js';
import { type Key64, SHARED_KEY } from './ip-address.js';
import { pairsOf } from './header-lines.js';
import type { ProblemFields } from './problem.js';
import type { HeaderTemplate } from './header-template.js';

export interface Client {
  /** The client's address in canonical form (no zone, IPv4-mapped as IPv4); `''` where the transport has none. */
  readonly address: string;
  /** Whether trusted proxies named this address, and no forwarded address precedes it. */
  readonly isFromTrustedProxy: boolean;
  /** The partition key of the address. */
  readonly key: Key64;
  /** Whether the client's connection is HTTPS, as trusted proxies report it. */
  readonly secure: boolean;
  /** The forwarded hosts of trusted proxies; `undefined` if there is none. */
  readonly forwardedHosts: readonly string[] | undefined;
}

/** How much of a body has arrived. */
export interface BodyProgress {
  bytes: number;
  /** How many bytes may arrive; a route may lower it. */
  maxBytes: number;
  /** Whether the body has a Content-Encoding that was not decoded, so that a parser reads other bytes than were sent. */
  isEncoded: boolean;
}

/** Before the client was read. */
const UNKNOWN_CLIENT: Client = {
  address: '',
  isFromTrustedProxy: false,
  key: SHARED_KEY,
  secure: false,
  forwardedHosts: undefined,
};

/** The CORS decision. */
class CorsState {
  /** The headers for an allowed origin, as alternating names and values. */
  grantHeaders: readonly string[] | undefined = undefined;
  /** Whether the request's origin may not read the response. */
  unreadable = false;
  /** Whether only the path's `@AllowCrossSite()` admits the request. */
  isCrossSite = false;
}

/** The rate-limit decision. */
class LimitState {
  /** The rate-limit headers as lines of a head, whose values need no check; `undefined` if they are pairs. */
  quotaLines: string | undefined = undefined;
  #quota: readonly string[] | undefined = undefined;
  /** Whether the module's quota was charged for this request. */
  charged = false;
  /** Charges a request that ends before `RateLimitGuard`. Called when the response's head is written. */
  chargeFailed: ((state: RequestState) => void) | undefined = undefined;
  /** Caches the denial, so that similar requests are denied before routing. Called if the module writes the response. */
  keepDenial: (() => void) | undefined = undefined;

  /** The rate-limit headers, as alternating names and values. */
  get quotaHeaders(): readonly string[] | undefined {
    return this.quotaLines === undefined ? this.#quota : pairsOf(this.quotaLines);
  }

  set quotaHeaders(pairs: readonly string[] | undefined) {
    this.#quota = pairs;
    this.quotaLines = undefined;
  }
}

/** The call of a tool that an HTTP request makes. It ends with the response. */
interface ToolCallState {
  /** Writes the audit record of the end. */
  end: (end: CallEnd) => void;
  /** The attempt at the handler that started last. */
  attempt: { finish(end: CallEnd): void } | undefined;
}

/** The progress and the outcome of the request. */
class OutcomeState {
  /** Whether the framework accepted the request; it does not accept a URL that it cannot parse. */
  routed = false;
  /** Whether the request reached the framework's not-found handler or error handler. */
  failed = false;
  /** Why the request was rejected, or failed. */
  rejection: ProblemFields | undefined = undefined;
  /** Emits the event of the rejection. The edge sets it. */
  onRejection: ((state: RequestState, status: number) => void) | undefined = undefined;
  /** Whether the event of this response was emitted. */
  isReported = false;
  headersWritten = false;
  /** Called when the head of the response is written. The telemetry sets it. */
  onHeadWritten: ((state: RequestState, status: number) => void) | undefined = undefined;
}

export class RequestState {
  id = '';
  host: Authority | undefined = undefined;
  client: Client = UNKNOWN_CLIENT;
  /** The verified agent, once the request is authenticated. */
  agent: Agent | undefined = undefined;
  /** The headers of a rejection (`WWW-Authenticate`, `Retry-After` of a 503), as alternating names and values. */
  rejectionHeaders: readonly string[] | undefined = undefined;
  readonly cors = new CorsState();
  readonly limits = new LimitState();
  readonly outcome = new OutcomeState();
  tool: ToolCallState | undefined = undefined;

  /** Runs the rest of the request within a span. The telemetry sets it. */
  runInSpan: ((proceed: () => void) => void) | undefined = undefined;

  /** Whether the response may stay without a byte for long, as in socket.io's HTTP polling. */
  isLongPoll = false;

  /** The verb of `X-HTTP-Method-Override`, where the app declares it with `@Verb()`. */
  verb: string | undefined = undefined;
  /** The progress of a body that has no declared length, that is JSON, or that is encoded. */
  body: BodyProgress | undefined = undefined;

  /** Node's own request. */
  request: IncomingMessage | undefined = undefined;
  /** Node's own response; `undefined` for an upgrade. */
  response: ServerResponse | undefined = undefined;

  /** Sends `100 Continue`. */
  #sendContinue: (() => void) | undefined = undefined;

  constructor(
    /** The headers of the response; a route's template replaces the module's. */
    public template: HeaderTemplate,
    /** The original `writeHead` of this response: Node's, or another library's. */
    readonly writeHead: ServerResponse['writeHead'],
  ) {}

  /**
   * Says why the request is rejected, before a filter or the edge writes the response. A message and a handshake have no response object
   * and are reported at once.
   */
  reject(fields: ProblemFields): void {
    this.outcome.rejection = fields;
    // A socket.io session that began with polling keeps the state of that request, which was answered.
    const isMessage = this.response === undefined || (this.response.headersSent && !this.outcome.isReported);
    if (isMessage) this.outcome.onRejection?.(this, fields.status);
  }

  /** Reports a rejection, once. Every response calls it while its head is written. */
  reportRejection(status: number): void {
    const { outcome } = this;
    if ((status < 400 && outcome.rejection === undefined) || outcome.isReported) return;
    outcome.isReported = true;
    outcome.onRejection?.(this, status);
  }

  /** For a request with `Expect: 100-continue`: sets how its body is requested. */
  awaitContinue(send: () => void): void {
    this.#sendContinue = send;
  }

  /** Sends `100 Continue`, once, where the client waits for it. */
  requestBody(): void {
    this.#sendContinue?.();
    this.#sendContinue = undefined;
  }
}

export const REQUEST_STATE = Symbol.for('agent-security:request-state');
/** The symbol under which a socket keeps the request of its handshake. */
const HANDSHAKE = Symbol.for('agent-security:handshake');

/** An upgraded socket, with the state of its handshake. */
type SocketWithState = Duplex & { [REQUEST_STATE]?: RequestState; [HANDSHAKE]?: IncomingMessage };

export type ResponseWithState = ServerResponse & { [REQUEST_STATE]?: RequestState };
export type RequestWithState = IncomingMessage & { [REQUEST_STATE]?: RequestState };

/** The state of a request, where the response is not at hand. */
export function stateOfRequest(request: PlatformRequest | undefined): RequestState | undefined {
  return request && (rawRequest(request) as RequestWithState)[REQUEST_STATE];
}

/** The state of a response, on either platform; `undefined` where the edge did not run. */
export function requestState(response: PlatformResponse | undefined): RequestState | undefined {
  // First the symbol: to look for a property that is not there takes long with the prototypes of Express.
  return (response as ResponseWithState | undefined)?.[REQUEST_STATE] ?? stateOfWrapped(response);
}

/** Of the response that Fastify's reply wraps. */
const stateOfWrapped = (response: PlatformResponse | undefined): RequestState | undefined =>
  (response?.raw as ResponseWithState | undefined)?.[REQUEST_STATE];

/** Continues a request that a stage has passed on, within the span that the stage may have begun. @returns what `proceed` returns */
export function continueRequest(response: PlatformResponse | undefined, proceed: () => unknown): unknown {
  const runInSpan = requestState(response)?.runInSpan;
  if (runInSpan === undefined) return proceed();
  let result: unknown;
  runInSpan(() => (result = proceed()));
  return result;
}

/** Attaches the state of an upgrade, which has no response, to its request and its socket. */
export function attachUpgrade(request: IncomingMessage, socket: Duplex, state: RequestState): void {
  (request as RequestWithState)[REQUEST_STATE] = state;
  (socket as SocketWithState)[REQUEST_STATE] = state;
  (socket as SocketWithState)[HANDSHAKE] = request;
}

/** A client of a gateway: of socket.io (with `request`) or of ws (with `_socket`). */
interface GatewayClient {
  readonly request?: IncomingMessage;
  readonly _socket?: SocketWithState | null;
}

/** The handshake of a gateway's client; where it did not pass the edge, a stand-in with the socket alone. */
export function handshakeOf(client: unknown): IncomingMessage | undefined {
  if (typeof client !== 'object' || client === null) return undefined;
  const { request, _socket: socket } = client as GatewayClient;
  const unseen = { socket, headers: {}, rawHeaders: [] } as unknown as IncomingMessage;
  return request ?? socket?.[HANDSHAKE] ?? (socket ? unseen : undefined);
}
