import type { ArgumentsHost } from '@nestjs/common';
import { readCall } from '../common/read-call.js';
import { handshakeOf, type RequestState, stateOfRequest } from '../common/request-state.js';

/**
 * The request state of a guard's context; for a WebSocket message, the state of its handshake. `undefined` for contexts without a request
 * that the module has seen: microservices, and gateways on a port of their own.
 */
export function stateOfCall(host: ArgumentsHost): RequestState | undefined {
  return host.getType() === 'ws' ? stateOfRequest(handshakeOf(host.getArgByIndex(0))) : readCall(host)?.state;
}
