import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { readCall } from '../common/read-call.js';
import { type RateLimitReservation, reservationOf } from './reservation.js';

/**
 * What this request has reserved by the `cost` functions of its limits: for `RateLimiter.settle()`. `undefined` where no limit with an
 * estimate applies.
 * @example
 * complete(@Reserved() reservation: RateLimitReservation | undefined) {}
 */
export const Reserved = createParamDecorator(
  (_data: undefined, context: ExecutionContext): RateLimitReservation | undefined => {
    const state = readCall(context)?.state;
    return state && reservationOf(state);
  },
);
