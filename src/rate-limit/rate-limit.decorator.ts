import { SetMetadata } from '@nestjs/common';
import { type AnyRule, type RateLimitInput, resolveRules } from './limit-rule.js';
import { RATE_LIMIT_KEY, SKIP_RATE_LIMIT_KEY } from './rate-limit.options.js';

type Decorator = ClassDecorator & MethodDecorator;

/**
 * The limits of a controller (one quota over its handlers) or of a handler, in place of the module's and of its class's:
 * `@RateLimit('5/minute')`, `@RateLimit('10/second', '100/minute')`, `@RateLimit({ limit: '5/minute', name, key, cost, algorithm })`.
 * Over a limit the answer is 429 with Retry-After.
 * @throws AgentSecurityConfigError when the class is defined, for a limit that is not one
 * @example
 * @RateLimit('10/second', '100/minute')
 */
export function RateLimit(...limits: RateLimitInput[]): Decorator {
  const rules: readonly AnyRule[] = resolveRules('@RateLimit()', limits);
  return SetMetadata(RATE_LIMIT_KEY, rules);
}

/**
 * No limit on a controller or a handler, but `flood`. A handler's own `@RateLimit()` wins over its class's skip.
 * @example
 * @SkipRateLimit()
 */
export function SkipRateLimit(): Decorator {
  return SetMetadata(SKIP_RATE_LIMIT_KEY, true);
}
