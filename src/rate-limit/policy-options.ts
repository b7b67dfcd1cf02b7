/* The options of one limit: what `limits` and `@RateLimit()` take. */
import type { ExecutionContext } from '@nestjs/common';
import type { PlatformRequest } from '../common/http-request.js';
import type { AlgorithmName } from '../limiter/policy.js';

/**
 * The partition key of a quota: requests with the same key share it.
 * - `'client'`: the authenticated agent if there is one, else the address
 * - `'address'`: the address, IPv6 by its /64
 * - `'global'`: one quota for all clients
 * - a function of the request that returns the key; an empty text stands for the address. Read it from verified data only: if it comes from
 *   an unverified header, a client gets a new quota with every new value.
 * @example
 * const key: RateLimitKey = request => sessions.userIdOf(request.headers.cookie);
 */
export type RateLimitKey =
  | 'client'
  | 'address'
  | 'global'
  | ((
      request: PlatformRequest,
      context: ExecutionContext,
    ) => string | undefined | Promise<string | undefined>);

/**
 * Units that a request costs: a whole number from 0, or a function of the request.
 * @example
 * const cost: RateLimitCost = request => Math.ceil(Number(request.headers['content-length'] ?? 0) / 1024);
 */
export type RateLimitCost =
  number | ((request: PlatformRequest, context: ExecutionContext) => number | Promise<number>);

/**
 * A dynamic limit: returns the limit (`'100/hour'`) of a partition key. It is called again when its result is `limitTtlMs` old; while it
 * fails, the last result stays in force.
 * @example
 * const limit: RateLimitResolver = async partitionKey => (await plans.of(partitionKey)).limit;
 */
export type RateLimitResolver = (
  partitionKey: string,
  request: PlatformRequest,
  context: ExecutionContext,
) => string | Promise<string>;

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
