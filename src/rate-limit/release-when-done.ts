/* Holds the leases of a request's concurrency limits until its response and its handlers have ended. */
import type { ServerResponse } from 'node:http';
import { rawResponse } from '../common/http-request.js';
import type { Call } from '../common/read-call.js';
import type { RequestState } from '../common/request-state.js';
import { whenResponseEnds } from '../common/response-end.js';
import type { Lease } from '../limiter/lease.js';

/** A request in flight that holds leases. */
interface Work {
  readonly response: ServerResponse;
  readonly leases: Lease[];
  /** Running handlers: of a GraphQL operation, one for each of its resolvers. */
  handlers: number;
  /** Whether the response has ended. */
  hasEnded: boolean;
}

const works = new WeakMap<RequestState, Work>();

/**
 * Releases a lease when the response and the handlers of its request have ended. A handler that still runs when the response has ended
 * (the client has closed the connection, or a timeout has answered) keeps the lease for one more lease time at most: it is not renewed.
 */
export function releaseWhenDone(lease: Lease, call: Call): void {
  const { state } = call;
  const release = (): void => void lease.release();
  const response = state?.response ?? (call.response && rawResponse(call.response));
  if (response === undefined) return release();
  if (state === undefined) return whenResponseEnds(response, release);
  const work = works.get(state) ?? { response, leases: [], handlers: 0, hasEnded: false };
  works.set(state, work);
  work.leases.push(lease);
  whenResponseEnds(response, () => {
    work.hasEnded = true;
    if (work.handlers === 0) release();
    else lease.expire();
  });
}

/** The request in flight; `undefined` for one that holds no lease. */
export function workOf(state: RequestState | undefined): Work | undefined {
  return state && works.get(state);
}

/** Counts a running handler. @returns the function to call when the handler has ended */
export function countHandler(work: Work): () => void {
  work.handlers++;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    work.handlers--;
    if (work.handlers === 0 && work.hasEnded) for (const lease of work.leases) void lease.release();
  };
}
