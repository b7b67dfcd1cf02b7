import type { RequestState } from '../common/request-state.js';
import type { QuotaRequest } from '../limiter/quota-request.js';
import type { QuotaDecision } from '../limiter/consume.js';

/** After this, an estimate stays charged: what was not settled by then is taken as spent. */
export const RESERVATION_LIFETIME_MS = 15 * 60_000;

/**
 * Units that were charged before anybody knew what the work would cost. `RateLimiter.settle()` charges or gives back the difference;
 * an estimate that is never settled stays charged.
 */
export interface RateLimitReservation {
  /** Units that were charged. */
  readonly units: number;
}

export interface ReservationDetails {
  readonly quotaRequests: readonly QuotaRequest[];
  /** Whether a shared store counts it. */
  readonly isShared: boolean;
  /** On the monotonic clock. */
  readonly chargedMs: number;
  /** Told how the policies stand once it was settled. */
  readonly onSettled?: (decision: QuotaDecision) => void;
  isSettled: boolean;
}

/** What a reservation is made of is nobody's business but the limiter's; it lives as long as its holder keeps it. */
const details = new WeakMap<object, ReservationDetails>();
const ofRequests = new WeakMap<RequestState, RateLimitReservation>();

export function createReservation(
  units: number,
  parts: Omit<ReservationDetails, 'isSettled'>,
): RateLimitReservation {
  const reservation = Object.freeze({ units });
  details.set(reservation, { ...parts, isSettled: false });
  return reservation;
}

export const detailsOf = (reservation: RateLimitReservation): ReservationDetails | undefined =>
  details.get(reservation);

/** Keeps what a request has reserved, for the parameter decorator. */
export function keepForRequest(state: RequestState, reservation: RateLimitReservation): void {
  ofRequests.set(state, reservation);
}

export const reservationOf = (state: RequestState): RateLimitReservation | undefined => ofRequests.get(state);
