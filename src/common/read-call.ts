/* The HTTP request behind whatever context a guard or a filter is called in. */
import type { ArgumentsHost } from '@nestjs/common';
import { type PlatformRequest, type PlatformResponse, rawRequest } from './http-request.js';
import { addressBlock, addressKey, type Key64, SHARED_KEY } from './ip-address.js';
import { handshakeOf, requestState, type RequestState, stateOfRequest } from './request-state.js';
import { hashKey } from './hash-key.js';

export type LimitedRequest = PlatformRequest & { ip?: string };

export interface Call {
  readonly request: LimitedRequest;
  /** `undefined` in a resolver, whose answer is not its own. */
  readonly response: PlatformResponse | undefined;
  /** `undefined` on an adapter that runs no request hook. */
  readonly state: RequestState | undefined;
  /** Whether it is a message of a socket, whose answer has no headers. */
  readonly isMessage?: boolean;
}

/** Where a driver keeps the request of an operation: of one over graphql-ws, the handshake. */
interface RequestHolder {
  readonly extra?: { readonly request?: LimitedRequest };
}

/** What drivers hand to resolvers: Apollo and Mercurius on Express and on Fastify, over HTTP and over graphql-ws. */
interface GraphqlContext extends RequestHolder {
  readonly req?: LimitedRequest & RequestHolder;
  readonly request?: LimitedRequest & RequestHolder;
  readonly reply?: { readonly request?: LimitedRequest };
}

/** The part of `GraphQLResolveInfo` that tells executions apart. */
interface ResolveInfo {
  readonly operation?: { readonly operation?: string };
  /** Made anew for each execution. */
  readonly variableValues?: object;
  readonly path?: { readonly prev?: unknown };
}

/** `undefined` where there is no request, or none that was judged: gateways, microservices, a GraphQL context without its request. */
export function readCall(host: ArgumentsHost): Call | undefined {
  const type = host.getType<string>();
  if (type === 'http') return readHttpCall(host);
  if (type !== 'graphql') return undefined;
  const context = host.getArgByIndex<GraphqlContext | null | undefined>(2);
  for (const request of requestsIn(context ?? {})) {
    const state = stateOfRequest(request);
    if (request !== undefined && state !== undefined) return { request, response: undefined, state };
  }
  return undefined;
}

function requestsIn({ req, request, reply, extra }: GraphqlContext): readonly (LimitedRequest | undefined)[] {
  return [req, request, reply?.request, req?.extra?.request, request?.extra?.request, extra?.request];
}

/**
 * What stands for one execution of a GraphQL operation: the operations of a batch and those of a socket share their request. `undefined` for a
 * resolver that belongs to an event of a subscription, which was counted when it began.
 */
export function executionOf(host: ArgumentsHost): object | undefined {
  const info = host.getArgByIndex<ResolveInfo | undefined>(3);
  if (info?.operation?.operation === 'subscription' && info.path?.prev !== undefined) return undefined;
  // Without one, each resolver counts.
  return info?.variableValues ?? {};
}

/** The handshake behind a gateway's message. One that the edge has not seen, on a port of its own, has no state. */
export function readMessageCall(host: ArgumentsHost): Call | undefined {
  if (host.getType() !== 'ws') return undefined;
  const request = handshakeOf(host.getArgByIndex<unknown>(0));
  return request && { request, response: undefined, state: stateOfRequest(request), isMessage: true };
}

export function readHttpCall(host: ArgumentsHost): Call {
  const request = host.getArgByIndex<LimitedRequest>(0);
  const response = host.getArgByIndex<PlatformResponse>(1);
  return { request, response, state: requestState(response) };
}

/** The address that a request is counted under; `''` where the transport has none. */
export function clientAddress({ request, state }: Pick<Call, 'request' | 'state'>): string {
  return state?.client.address ?? request.ip ?? rawRequest(request).socket?.remoteAddress ?? '';
}

/** The number of the quota of an address. */
export function addressKeyOf(call: Call): Key64 {
  return call.state?.client.key ?? addressKey(clientAddress(call)) ?? SHARED_KEY;
}

/** Whom `key: 'client'` counts: the verified agent, else the address. */
export function clientName(call: Call): string {
  const agent = call.state?.agent;
  return agent === undefined ? addressBlock(clientAddress(call)) : `agent:${agent.id}`;
}

/** The number of that quota. An address is its own number; an agent's ID is hashed. */
export function clientKey(call: Call): Key64 {
  return call.state?.agent === undefined ? addressKeyOf(call) : hashKey(clientName(call));
}
