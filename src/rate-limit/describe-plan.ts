/* Describes the limits of a route for OpenAPI documents. */
import { RETRY_AFTER, type RouteResponse } from '../common/describe-route.js';
import { describeQuota, listLimits } from '../limiter/describe-limits.js';
import { type AnyGroup, isFixed } from './create-quota-request.js';
import type { ResolvedRateLimit } from './rate-limit.options.js';
import type { RoutePlan } from './route-plan.js';

export function describePlan(
  { flood, headers, shadow, store, onStoreError }: ResolvedRateLimit,
  { groups, dynamicThrottles, tiers }: RoutePlan,
): readonly RouteResponse[] {
  const isDynamic = !shadow && !groups.every(isFixed);
  const limits = [
    listGroups(groups),
    ...Array.from(tiers, ([tier, own]) => {
      const listed = listGroups(own);
      return listed && `${listed} in the tier ${tier}`;
    }),
    isDynamic ? 'a limit of the client' : '',
    dynamicThrottles.length > 0 ? 'a limit that depends on the request' : '',
    flood === undefined ? '' : `${listLimits([flood])} of an address on all routes`,
  ].filter(Boolean);
  if (limits.length === 0) return [];
  const needsStore = (store !== undefined && onStoreError === 'deny') || isDynamic;
  return [
    describeQuota(`A rate limit is exceeded: ${limits.join('; ')}. Wait for Retry-After`, headers),
    ...(needsStore
      ? [
          {
            status: 503,
            description: 'The rate limits cannot be checked at the moment',
            headers: RETRY_AFTER,
          },
        ]
      : []),
  ];
}

const listGroups = (groups: readonly AnyGroup[]): string =>
  listLimits(
    groups
      .filter(isFixed)
      .flatMap(({ table, mask }) => table.policies.filter((_policy, index) => (mask & (1 << index)) !== 0)),
  );
