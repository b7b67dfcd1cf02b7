/* What a granted request needs after the decision: leases that are released when it ends, estimates that its handler may settle. */
import { rawResponse } from '../common/http-request.js';
import type { Call } from '../common/read-call.js';
import { whenResponseEnds } from '../common/response-end.js';
import type { QuotaDecision } from '../limiter/consume.js';
import type { Decided, QuotaEngine } from '../limiter/quota-engine.js';
import { isConcurrency, policiesOf, type QuotaRequest, restrict, takenBy } from '../limiter/quota-request.js';
import { type AnyGroup, isEstimated } from './quota-group.js';
import { releaseWhenDone } from './release-when-done.js';
import { createReservation, keepReservations, type NamedReservation } from './reservation.js';
import type { WriteQuota } from './write-quota.js';

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
