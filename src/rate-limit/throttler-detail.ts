/* Denials as @nestjs/throttler describes them. */
import type { ThrottlerLimitDetail } from '@nestjs/throttler';
import { denies, type QuotaDecision } from '../limiter/consume.js';
import { createPolicy } from '../limiter/create-policy.js';

/** A denial as @nestjs/throttler describes it to `throwThrottlingException()` and `getErrorMessage()`. */
export function toThrottlerDetail({ policyStates }: QuotaDecision, tracker: string): ThrottlerLimitDetail {
  const { policy, resetMs } = policyStates.find(denies)!;
  const seconds = Math.ceil(resetMs / 1000);
  return {
    limit: policy.limit,
    ttl: policy.windowMs,
    key: tracker,
    tracker,
    totalHits: policy.limit + 1,
    timeToExpire: seconds,
    isBlocked: true,
    timeToBlockExpire: seconds,
  };
}

/** The denial that @nestjs/throttler describes so. */
export function fromThrottlerDetail({ limit, ttl, timeToBlockExpire }: ThrottlerLimitDetail): QuotaDecision {
  const policy = createPolicy({ limit, windowMs: ttl });
  return {
    granted: false,
    policyStates: [{ policy, remaining: 0, resetMs: timeToBlockExpire * 1000, violated: true }],
  };
}
