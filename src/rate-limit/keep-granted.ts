/* What a granted request needs after the decision: leases that are released when it ends, estimates that its handler may settle. */
import { rawResponse } from '../common/http-request.js';
import type { Call } from '../common/read-call.js';
import { whenResponseEnds } from '../common/response-end.js';
import type { QuotaDecision } from '../limiter/consume.js';
import type { Decided, QuotaEngine } from '../limiter/quota-engine.js';
import { isConcurrency, policiesOf, type QuotaRequest, restrict, takenBy } from '../limiter/quota-request.js';
import { type AnyGroup, isEstimated } from './create-quota-request.js';
import { createReservation, keepReservations, type NamedReservation } from './reservation.js';
import type { WriteQuota } from './decide-request.js';
import type { ServerResponse } from 'node:http';
import type { RequestState } from '../common/request-state.js';
import type { Lease } from '../limiter/lease.js';

/** Leases what the request has taken of concurrency limits, until its response and its handler have ended. */
export function holdLease(
  engine: QuotaEngine,
  call: Call,
  quotaRequests: readonly QuotaRequest[],
  decided: Decided,
): void {
  if (!quotaRequests.some(each => restrict(each, isConcurrency) !== undefined)) return;
  const lease = engine.lease(quotaRequests, decided);
  if (lease === undefined) return;
  const response = call.state?.response ?? (call.response && rawResponse(call.response));
  if (response === undefined) void lease.release();
  else if (call.state === undefined) whenResponseEnds(response, () => void lease.release());
  else releaseWhenDone(call.state, response, lease);
}

/** Keeps a reservation for each limit with an estimated cost, for `@Reserved()`. */
export function keepEstimates(
  write: WriteQuota,
  call: Call,
  groups: readonly AnyGroup[],
  quotaRequests: readonly QuotaRequest[],
  decided: Decided,
): void {
  const { state } = call;
  if (state === undefined) return;
  const { isShared, chargedMs } = decided;
  const taken = takenBy(decided.decision, quotaRequests);
  let current = decided.decision;
  const onSettled = (settled: QuotaDecision): void => {
    current = updateStates(current, settled);
    if (!state.outcome.headersWritten) write(call, current);
  };
  const reservations = quotaRequests.flatMap((quotaRequest, index): NamedReservation[] => {
    const { cost } = groups[index]!;
    const policies = quotaRequest.charges
      .flatMap(charge => policiesOf(charge))
      .filter(policy => isEstimated(policy, cost) && !isConcurrency(policy));
    return [...new Set(policies.map(({ unit }) => unit))].map(unit => {
      const ofUnit = policies.filter(policy => policy.unit === unit);
      const its = taken[index] && restrict(taken[index], policy => ofUnit.includes(policy));
      const details = { quotaRequest: its, isShared, chargedMs, onSettled };
      const reservation = createReservation(quotaRequest.charges[0]!.cost, details);
      return { names: ofUnit.map(({ name }) => name), unit, reservation };
    });
  });
  if (reservations.length > 0) keepReservations(state, reservations);
}

/** The states of a decision, with those of settled policies replaced. */
function updateStates(decision: QuotaDecision, settled: QuotaDecision): QuotaDecision {
  const policyStates = decision.policyStates.map(
    policyState => settled.policyStates.find(({ policy }) => policy === policyState.policy) ?? policyState,
  );
  return { ...decision, policyStates };
}

/* When the leases of a request's concurrency limits are released: as soon as its response and its handlers have ended. */

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
function releaseWhenDone(state: RequestState, response: ServerResponse, lease: Lease): void {
  let work = works.get(state);
  if (work === undefined) works.set(state, (work = { response, leases: [], handlers: 0, hasEnded: false }));
  work.leases.push(lease);
  const held = work;
  whenResponseEnds(response, () => {
    held.hasEnded = true;
    if (held.handlers === 0) void lease.release();
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
