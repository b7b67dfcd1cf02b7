import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { readCall } from '../common/read-call.js';
import { findReservation, type RateLimitReservation } from './reservation.js';

/**
 * What this request has reserved of an estimated limit (one with a `cost` function or a `unit` of its own), for `RateLimiter.settle()`.
 * A route with several names one by its policy's name or its unit. `undefined` if no such limit applies.
 * @example
 * complete(@Reserved() reservation: RateLimitReservation) {}
 * completeTokens(@Reserved('tokens') reservation: RateLimitReservation) {}
 */
export const Reserved = createParamDecorator(
  (limit: string | undefined, context: ExecutionContext): RateLimitReservation | undefined => {
    const state = readCall(context)?.state;
    return state && findReservation(state, limit);
  },
);
