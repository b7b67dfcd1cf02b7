/* The state of the request behind whatever context a guard is called in, WebSocket messages included. */
import type { ArgumentsHost } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  REQUEST_STATE,
  type RequestState,
  type SocketWithState,
  stateOfRequest,
} from '../common/request-state.js';
import { readCall } from '../common/read-call.js';

/** What socket.io (`request`) and ws (`_socket`) show of the handshake that a client came by. */
interface WebSocketClient {
  readonly request?: IncomingMessage;
  readonly _socket?: Duplex;
}

/** `undefined` where no request was judged: microservices, gateways on a port of their own. */
export function stateOfCall(host: ArgumentsHost): RequestState | undefined {
  if (host.getType() !== 'ws') return readCall(host)?.state;
  const client = host.getArgByIndex<WebSocketClient | undefined>(0);
  return stateOfRequest(client?.request) ?? (client?._socket as SocketWithState | undefined)?.[REQUEST_STATE];
}
