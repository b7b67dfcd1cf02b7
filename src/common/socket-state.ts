/* The request that opened a socket, for the messages that come over it. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { REQUEST_STATE, type RequestState, type RequestWithState } from './request-state.js';

const HANDSHAKE = Symbol.for('agent-security:handshake');
type OpenedSocket = Duplex & { [HANDSHAKE]?: IncomingMessage };

/** A client as a gateway's adapter hands it out: of socket.io (with the request) or of `ws` (with the socket). */
interface GatewayClient {
  readonly request?: IncomingMessage;
  readonly _socket?: OpenedSocket | null;
}

export function keepHandshake(raw: IncomingMessage, socket: Duplex, state: RequestState): void {
  (raw as RequestWithState)[REQUEST_STATE] = state;
  (socket as OpenedSocket)[HANDSHAKE] = raw;
}

/** `undefined` for a socket that the front has not seen open: a gateway on a port of its own. */
export function handshakeOf(client: unknown): IncomingMessage | undefined {
  if (typeof client !== 'object' || client === null) return undefined;
  const { request, _socket: socket } = client as GatewayClient;
  const raw = request ?? socket?.[HANDSHAKE];
  return raw !== undefined && (raw as RequestWithState)[REQUEST_STATE] !== undefined ? raw : undefined;
}
