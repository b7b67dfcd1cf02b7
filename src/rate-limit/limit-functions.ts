/* The parts of a limit that may be functions of the request: its partition key, its cost, and the limit itself. */
import type { ExecutionContext } from '@nestjs/common';
import type { PlatformRequest } from '../common/http-request.js';

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
