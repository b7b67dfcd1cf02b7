/* What is known of a request, kept on Node's own response under a symbol: found out once, read by guards, interceptors, filters and
 * parameter decorators. Each feature writes its own part. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Agent } from './agent.js';
import type { Authority } from './authority.js';
import { type PlatformRequest, type PlatformResponse, rawRequest, rawResponse } from './http-request.js';
import { type Key64, SHARED_KEY } from './ip-address.js';
import type { HeaderTemplate } from './header-template.js';

export interface Client {
  /** The client's address in its one spelling (no zone, IPv4-mapped as IPv4); `''` where the transport has none. */
  readonly address: string;
  /** Whether trusted proxies name this client, and nobody behind it. */
  readonly isFromTrustedProxy: boolean;
  /** The quota that the address belongs to. */
  readonly key: Key64;
  /** Whether the client's own connection is HTTPS. */
  readonly secure: boolean;
  /** The hosts that trusted proxies pass on; `undefined` if they pass on none. */
  readonly forwardedHosts: readonly string[] | undefined;
}

/** How much of a body has arrived. */
export interface BodyProgress {
  bytes: number;
  /** How many bytes may arrive; a route may lower it. */
  maxBytes: number;
  /** Whether the body has a Content-Encoding that was not decoded, so that a parser reads other bytes than were sent. */
  isCoded: boolean;
}

/** Until the client was read. */
const UNKNOWN_CLIENT: Client = {
  address: '',
  isFromTrustedProxy: false,
  key: SHARED_KEY,
  secure: false,
  forwardedHosts: undefined,
};

/** What CORS has decided. */
export class CorsState {
  /** Header pairs of an allowed origin, name and value in turn. */
  grant: readonly string[] | undefined = undefined;
  /** Whether the request's origin may not read the response. */
  unreadable = false;
}

/** What the limits have decided. */
export class LimitState {
  /** Rate-limit header pairs, name and value in turn. */
  quota: readonly string[] | undefined = undefined;
  /** Whether the module's quota was charged for this request, so that it is charged once. */
  charged = false;
  /** Charges a request that ends before the guard of the limits; called when its response's head is written. */
  chargeFailed: ((state: RequestState) => void) | undefined = undefined;
  /** Remembers how this request was denied, so that its like is denied before routing; called if the module itself answers it. */
  keepDenial: (() => void) | undefined = undefined;
}

/** How far the request has come, and how it ended. */
export class OutcomeState {
  /** Whether the framework has taken the request in, which it does not with a URL that it cannot route. */
  routed = false;
  /** Whether the request has ended in the framework's handler of unknown paths or of errors, whatever answers it then. */
  failed = false;
  /** The code of the problem that it was answered with, if the filter answered. */
  problem: string | undefined = undefined;
  headersWritten = false;
}

export class RequestState {
  id = '';
  host: Authority | undefined = undefined;
  client: Client = UNKNOWN_CLIENT;
  /** The verified identity, once there is one. */
  agent: Agent | undefined = undefined;
  /** Header pairs that say what a rejected request lacks (`WWW-Authenticate`), name and value in turn. */
  challenge: readonly string[] | undefined = undefined;
  readonly cors = new CorsState();
  readonly limits = new LimitState();
  readonly outcome = new OutcomeState();

  /** Whether its response may wait for long before anything of it is sent, as those of socket.io's polling do. */
  isLongPoll = false;

  /** The verb that a POST stands for, where it is one of the app's own. */
  verb: string | undefined = undefined;
  /** What has come of a body whose length was not declared, whose JSON is looked at, or that is coded. */
  body: BodyProgress | undefined = undefined;

  /** Node's own request; `undefined` for an upgrade. */
  request: IncomingMessage | undefined = undefined;
  /** Node's own response; `undefined` for an upgrade. */
  response: ServerResponse | undefined = undefined;

  /** Sends `100 Continue` to a client that waits for it. */
  #sendContinue: (() => void) | undefined = undefined;

  constructor(
    /** The headers of the response; a route's own replaces the module's. */
    public template: HeaderTemplate,
    /** Node's (or another library's) own `writeHead` of this response. */
    readonly writeHead: ServerResponse['writeHead'],
  ) {}

  /** For a request with `Expect: 100-continue`: nobody has asked for its body yet. */
  awaitContinue(send: () => void): void {
    this.#sendContinue = send;
  }

  /** Asks for the body, once, where the client waits to be asked. */
  requestBody(): void {
    this.#sendContinue?.();
    this.#sendContinue = undefined;
  }
}

export const REQUEST_STATE = Symbol.for('agent-security:request-state');
/** Where a connection keeps the request that opened it. */
const HANDSHAKE = Symbol.for('agent-security:handshake');

/** Where the state of an upgraded connection stays, for who has no more than its socket. */
export type SocketWithState = Duplex & { [REQUEST_STATE]?: RequestState; [HANDSHAKE]?: IncomingMessage };

export type ResponseWithState = ServerResponse & { [REQUEST_STATE]?: RequestState };
export type RequestWithState = IncomingMessage & { [REQUEST_STATE]?: RequestState };

/** The state of a request, for those who are not handed its response. */
export function stateOfRequest(request: PlatformRequest | undefined): RequestState | undefined {
  return request && (rawRequest(request) as RequestWithState)[REQUEST_STATE];
}

/** The state of a response, on either platform; `undefined` where the request hook did not run. */
export function requestState(response: PlatformResponse | undefined): RequestState | undefined {
  return response && (rawResponse(response) as ResponseWithState)[REQUEST_STATE];
}

/** Keeps the state of an upgrade, which has no response, with its request and its connection. */
export function attachUpgrade(request: IncomingMessage, socket: Duplex, state: RequestState): void {
  (request as RequestWithState)[REQUEST_STATE] = state;
  (socket as SocketWithState)[REQUEST_STATE] = state;
  (socket as SocketWithState)[HANDSHAKE] = request;
}

/** A client as a gateway's adapter hands it out: of socket.io (with the request) or of ws (with the socket). */
interface GatewayClient {
  readonly request?: IncomingMessage;
  readonly _socket?: SocketWithState | null;
}

/** The request that opened the socket of a client, or what is known of it where the edge has not seen it: its connection. */
export function handshakeOf(client: unknown): IncomingMessage | undefined {
  if (typeof client !== 'object' || client === null) return undefined;
  const { request, _socket: socket } = client as GatewayClient;
  const unseen = { socket, headers: {}, rawHeaders: [] } as unknown as IncomingMessage;
  return request ?? socket?.[HANDSHAKE] ?? (socket ? unseen : undefined);
}
