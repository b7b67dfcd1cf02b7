/* The options of one limit: what `limits` and `@RateLimit()` take. */
import type { AlgorithmName } from '../limiter/policy.js';
import type { RateLimitCost, RateLimitKey, RateLimitResolver } from './limit-functions.js';

/**
 * The options of one limit, for what a limit string cannot say.
 * @example
 * const limit: RateLimitPolicyOptions = { limit: '100000/day', unit: 'tokens', cost: () => 1_000, alertAt: [0.8] };
 */
export interface RateLimitPolicyOptions {
  /**
   * `'5/minute'`; several joined by `,` `;` or `|`. With the algorithm `'concurrency'`, the number of concurrent requests: `5`, or
   * `'5/10 minutes'` for leases of ten minutes (a minute otherwise). A function makes it a dynamic limit.
   */
  limit: string | number | RateLimitResolver;
  /** The name that clients see: 1 to 64 letters, digits and `._:/-`. @default `5-per-minute` and the like */
  name?: string;
  /** The partition key of the limit, with the values of `rateLimit.key`. @default the module's `rateLimit.key` */
  key?: RateLimitKey;
  /**
   * How many units a request uses: a whole number from 0, or a function that returns an estimate, which is charged before the handler
   * runs and which `RateLimiter.settle()` corrects. A number above the limit (of a token bucket: above its burst) stops the start-up,
   * since no request would ever be granted.
   * @default 1
   */
  cost?: RateLimitCost;
  /**
   * How requests are counted: `'sliding-window'`, `'fixed-window'`, `'token-bucket'` or `'concurrency'`. See
   * docs/rate-limits.md#algorithms.
   * @default 'sliding-window'
   */
  algorithm?: AlgorithmName;
  /** The capacity of a token bucket. Only with the algorithm `'token-bucket'`. @default the limit */
  burst?: number;
  /** What is counted, sent to clients as `qu`: `'tokens'`. @default 'requests', or 'concurrent-requests' */
  unit?: string;
  /** Shadow mode: evaluates, counts and reports the limit without enforcing it. Clients do not see it. @default false */
  shadow?: boolean;
  /**
   * Emits the event `limit.threshold` when so much has been used: shares of the limit (of a token bucket: of its burst) up to 1, or
   * numbers of units above 1.
   * @default []
   */
  alertAt?: readonly number[];
  /**
   * How long the result of a dynamic limit is used, in milliseconds: up to a day. Only with a function as `limit`.
   * @default 60000
   */
  limitTtlMs?: number;
}

/**
 * One limit: a limit string (`'100/minute'`), or the options of a policy.
 * @example
 * const limits: RateLimitInput[] = ['10/second', { limit: '1000/hour', name: 'hourly' }];
 */
export type RateLimitInput = string | RateLimitPolicyOptions;
