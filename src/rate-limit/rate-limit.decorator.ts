import { SetMetadata, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type AnyRule, resolveRules } from './limit-rule.js';
import type { RateLimitInput } from './policy-options.js';
import { RATE_LIMIT_KEY, SKIP_RATE_LIMIT_KEY } from './rate-limit.options.js';
import { readCall } from '../common/read-call.js';
import { findReservation, type RateLimitReservation } from './reservation.js';

type Decorator = ClassDecorator & MethodDecorator;

/**
 * The limits of a controller (one quota over its handlers) or of a handler, in place of the module's and of its class's. Over a limit the
 * answer is 429 with `Retry-After`.
 * @throws AgentSecurityConfigError for an invalid limit, when the class is defined
 * @example
 * @Post('orders')
 * @RateLimit('10/second', { limit: '100/hour', name: 'orders', key: 'address', algorithm: 'token-bucket' })
 * create() {}
 */
export function RateLimit(...limits: RateLimitInput[]): Decorator {
  const rules: readonly AnyRule[] = resolveRules('@RateLimit()', limits);
  return SetMetadata(RATE_LIMIT_KEY, rules);
}

/**
 * Removes all limits but `flood` from a controller or a handler. A handler's `@RateLimit()` wins over its class's `@SkipRateLimit()`.
 * @example
 * @Get('healthz')
 * @SkipRateLimit()
 * health() {}
 */
export function SkipRateLimit(): Decorator {
  return SetMetadata(SKIP_RATE_LIMIT_KEY, true);
}

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
