/* The state of the request behind whatever context a guard is called in. */
import type { IncomingMessage } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';
import type { PlatformRequest, PlatformResponse } from './http-request.js';
import { requestState, type RequestState, stateOfRequest } from './request-state.js';
import { handshakeOf } from './socket-state.js';

/** What drivers hand to resolvers: Apollo and Mercurius on Express and on Fastify. */
interface GraphqlContext {
  readonly req?: PlatformRequest;
  readonly request?: PlatformRequest;
  readonly reply?: { readonly request?: PlatformRequest };
}

export function graphqlRequest(host: ArgumentsHost): PlatformRequest | undefined {
  const context = host.getArgByIndex<GraphqlContext | undefined>(2);
  return context?.req ?? context?.request ?? context?.reply?.request;
}

/** `undefined` where there is no request that the front has seen: microservices, gateways on a port of their own. */
export function contextState(host: ArgumentsHost): RequestState | undefined {
  switch (host.getType<string>()) {
    case 'http':
      return requestState(host.getArgByIndex<PlatformResponse>(1));
    case 'graphql':
      return stateOfRequest(graphqlRequest(host));
    case 'ws':
      return stateOfRequest(contextHandshake(host));
    default:
      return undefined;
  }
}

/** The request that opened the socket of a message. */
export function contextHandshake(host: ArgumentsHost): IncomingMessage | undefined {
  return handshakeOf(host.getArgByIndex<unknown>(0));
}
