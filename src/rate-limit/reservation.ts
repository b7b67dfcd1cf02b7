/* Reservations: units that were charged before the cost of the work was known, for `@Reserved()` and `RateLimiter.settle()`. */
import type { Call } from '../common/read-call.js';
import type { RequestState } from '../common/request-state.js';
import type { QuotaDecision } from '../limiter/consume.js';
import { CONCURRENT_REQUESTS, type Policy, REQUESTS } from '../limiter/policy.js';
import type { ChargedAt, Decided } from '../limiter/quota-engine.js';
import { isConcurrency, type QuotaRequest } from '../limiter/quota-request.js';
import type { AnyGroup } from './create-quota-request.js';
import type { WriteQuota } from './decide-request.js';
import type { RateLimitCost } from './limit-functions.js';
import { policiesOf, restrict, takenBy } from '../limiter/restrict-request.js';

/** Nothing is given back of an older estimate: work without a known cost by then counts as spent. */
export const RESERVATION_LIFETIME_MS = 15 * 60_000;

/**
 * Units of one limit that were charged before the cost of the work was known. `RateLimiter.settle()` charges or gives back the difference;
 * an estimate that is never settled stays charged.
 * @example
 * await limiter.settle(reservation, answer.tokens);
 */
export interface RateLimitReservation {
  /** Units that were charged: 0 where a limit in shadow mode had too few of them. */
  readonly units: number;
}

interface ReservationDetails extends ChargedAt {
  /** `undefined` if nothing was taken: by a limit in shadow mode. */
  readonly quotaRequest: QuotaRequest | undefined;
  /** Called with the state of the policies after the settlement. */
  readonly onSettled?: (decision: QuotaDecision) => void;
  isSettled: boolean;
}

/** Apart from the reservation itself, so that its holder cannot change it. Kept as long as the reservation. */
const details = new WeakMap<object, ReservationDetails>();

export function createReservation(
  units: number,
  parts: Omit<ReservationDetails, 'isSettled'>,
): RateLimitReservation {
  const reservation = Object.freeze({ units: parts.quotaRequest === undefined ? 0 : units });
  details.set(reservation, { ...parts, isSettled: false });
  return reservation;
}

export const detailsOf = (reservation: RateLimitReservation): ReservationDetails | undefined =>
  details.get(reservation);

/** Whether the units of a request are an estimate that may be settled. */
export function isEstimated({ unit }: Policy, cost: RateLimitCost): boolean {
  return typeof cost === 'function' || (unit !== REQUESTS && unit !== CONCURRENT_REQUESTS);
}

/** A reservation of a request, and what `@Reserved()` may call its limit. */
interface NamedReservation {
  /** The names of its policies. */
  readonly names: readonly string[];
  readonly unit: string;
  readonly reservation: RateLimitReservation;
}

const ofRequests = new WeakMap<RequestState, readonly NamedReservation[]>();

/** Keeps a reservation for each limit of a granted request with an estimated cost, for `@Reserved()`. */
export function keepReservations(
  write: WriteQuota,
  call: Call,
  groups: readonly AnyGroup[],
  quotaRequests: readonly QuotaRequest[],
  { decision, isShared, chargedMs }: Decided,
): void {
  const { state } = call;
  if (state === undefined) return;
  const taken = takenBy(decision, quotaRequests);
  let { policyStates } = decision;
  const onSettled = (settled: QuotaDecision): void => {
    policyStates = policyStates.map(
      policyState => settled.policyStates.find(({ policy }) => policy === policyState.policy) ?? policyState,
    );
    if (!state.outcome.headersWritten) write(call, { ...decision, policyStates });
  };
  const reservations = quotaRequests.flatMap(({ charges }, index): NamedReservation[] => {
    const { cost } = groups[index]!;
    const policies = charges
      .flatMap(policiesOf)
      .filter(policy => isEstimated(policy, cost) && !isConcurrency(policy));
    return [...new Set(policies.map(({ unit }) => unit))].map(unit => {
      const ofUnit = policies.filter(policy => policy.unit === unit);
      const quotaRequest = taken[index] && restrict(taken[index], policy => ofUnit.includes(policy));
      const parts = { quotaRequest, isShared, chargedMs, onSettled };
      const reservation = createReservation(charges[0]!.cost, parts);
      return { names: ofUnit.map(({ name }) => name), unit, reservation };
    });
  });
  if (reservations.length > 0) ofRequests.set(state, reservations);
}

/**
 * The reservation of a request.
 * @param limit a policy's name, or else a unit; `undefined` for the only reservation
 * @throws TypeError if it stands for several reservations
 */
export function findReservation(state: RequestState, limit?: string): RateLimitReservation | undefined {
  const all = ofRequests.get(state) ?? [];
  const named = limit === undefined ? all : all.filter(({ names }) => names.includes(limit));
  const found = named.length > 0 ? named : all.filter(({ unit }) => unit === limit);
  if (found.length <= 1) return found[0]?.reservation;
  throw new TypeError("Several limits of this route are estimated: name one, as in @Reserved('tokens').");
}
