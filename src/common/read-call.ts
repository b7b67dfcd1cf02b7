/* The HTTP request of an execution context: HTTP, GraphQL, or a message of a gateway. */
import type { ArgumentsHost } from '@nestjs/common';
import type { PlatformRequest, PlatformResponse } from './http-request.js';
import { handshakeOf, requestState, type RequestState, stateOfRequest } from './request-state.js';

export type LimitedRequest = PlatformRequest & { ip?: string };

export interface Call {
  readonly request: LimitedRequest;
  /** `undefined` in a GraphQL resolver, which does not own the response. */
  readonly response: PlatformResponse | undefined;
  /** `undefined` on an adapter without the edge. */
  readonly state: RequestState | undefined;
  /** Whether it is a message of a WebSocket, whose reply has no headers. */
  readonly isMessage?: boolean;
}

/** Where a GraphQL driver keeps the request; over graphql-ws, the handshake. */
interface RequestHolder {
  readonly extra?: { readonly request?: LimitedRequest };
}

/** The context that Apollo and Mercurius pass to resolvers, on Express and Fastify, over HTTP and graphql-ws. */
interface GraphqlContext extends RequestHolder {
  readonly req?: LimitedRequest & RequestHolder;
  readonly request?: LimitedRequest & RequestHolder;
  readonly reply?: { readonly request?: LimitedRequest };
}

/** The part of `GraphQLResolveInfo` that tells executions apart. */
interface ResolveInfo {
  readonly operation?: { readonly operation?: string };
  /** A new object for each execution. */
  readonly variableValues?: object;
  readonly path?: { readonly prev?: unknown };
}

/** `undefined` without a request that passed the edge: gateways, microservices, a GraphQL context without its request. */
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
 * An object that identifies one execution of a GraphQL operation; the operations of a batch or of a socket share their
 * request. `undefined` for the resolvers of a subscription's events, since the subscription was counted when it began.
 */
function executionOf(host: ArgumentsHost): object | undefined {
  const info = host.getArgByIndex<ResolveInfo | undefined>(3);
  if (info?.operation?.operation === 'subscription' && info.path?.prev !== undefined) return undefined;
  // Without `variableValues`, each resolver counts.
  return info?.variableValues ?? {};
}

/** The handshake of a gateway's message. On a gateway's own port it did not pass the edge and has no state. */
export function readMessageCall(host: ArgumentsHost): Call | undefined {
  if (host.getType() !== 'ws') return undefined;
  const request = handshakeOf(host.getArgByIndex<unknown>(0));
  return request && { request, response: undefined, state: stateOfRequest(request), isMessage: true };
}

/** The state of a call's request, or of the handshake of its WebSocket. */
export function stateOfCall(host: ArgumentsHost): RequestState | undefined {
  return (readMessageCall(host) ?? readCall(host))?.state;
}

export function readHttpCall(host: ArgumentsHost): Call {
  const request = host.getArgByIndex<LimitedRequest>(0);
  const response = host.getArgByIndex<PlatformResponse>(1);
  return { request, response, state: requestState(response) };
}

/** Tells the first resolver of a GraphQL operation from its other ones. */
export class GraphqlOperations {
  readonly #seen = new WeakSet<object>();

  /** Whether the guard runs for the first time in this operation. */
  isNew(host: ArgumentsHost): boolean {
    const execution = executionOf(host);
    if (execution === undefined || this.#seen.has(execution)) return false;
    this.#seen.add(execution);
    return true;
  }
}
