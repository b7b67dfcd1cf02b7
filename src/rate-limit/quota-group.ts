/* The quotas of a route: policies that are counted under one key. */
import type { ExecutionContext } from '@nestjs/common';
import { CONCURRENT_REQUESTS, type Policy, REQUESTS } from '../limiter/policy.js';
import { checkCost, isConcurrency, restrictMask } from '../limiter/quota-request.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import type { DynamicLimit } from './dynamic-limits.js';
import type { RateLimitCost, RateLimitKey } from './policy-options.js';
import type { ThrottleSettings } from './throttle-metadata.js';

export interface QuotaGroup {
  readonly table: QuotaTable;
  /** The policies of the table that apply here, one bit each. */
  readonly mask: number;
  readonly key: RateLimitKey;
  readonly cost: RateLimitCost;
  /** Whose limits they are: part of the key in a shared store. */
  readonly scope: string;
  /** The `@Throttle()` entry that it comes from. */
  readonly throttle?: ThrottleSettings;
}

/** A dynamic limit. */
export interface DynamicGroup extends Pick<QuotaGroup, 'key' | 'cost' | 'scope'> {
  readonly dynamic: DynamicLimit;
}

export type AnyGroup = QuotaGroup | DynamicGroup;

export const isFixed = (group: AnyGroup): group is QuotaGroup => 'table' in group;

/** A `@Throttle()` entry whose numbers are functions of the request. */
export type LateGroup = (context: ExecutionContext) => Promise<QuotaGroup>;

export interface RoutePlan {
  readonly groups: readonly AnyGroup[];
  readonly lateGroups: readonly LateGroup[];
  /** Whether a decision needs nothing but the request's client, and a granted one needs no further work (a lease, an event). */
  readonly isImmediate: boolean;
  /** Whether the module's limits apply. */
  readonly isModules: boolean;
  /** The groups in place of `groups` for the clients of each tier. */
  readonly tiers: ReadonlyMap<string, readonly AnyGroup[]>;
}

/** Whether a plan limits nothing. */
export const isEmpty = ({ groups, lateGroups, tiers }: RoutePlan): boolean =>
  groups.length === 0 && lateGroups.length === 0 && tiers.size === 0;

export const NO_TIERS: RoutePlan['tiers'] = new Map();

/** The group without the policies of some names. */
export function withoutNames(group: AnyGroup, names: ReadonlySet<string>): AnyGroup {
  if (!isFixed(group) || names.size === 0) return group;
  return { ...group, mask: restrictMask(group, ({ named, name }) => !names.has(named ? name : 'default')) };
}

/** The groups without their concurrency limits; those that have nothing else are left out. */
export function withoutConcurrency(groups: readonly QuotaGroup[]): readonly QuotaGroup[] {
  return groups.flatMap(group => {
    if (!group.table.policies.some(isConcurrency)) return [group];
    const mask = restrictMask(group, policy => !isConcurrency(policy));
    return mask === 0 ? [] : [{ ...group, mask }];
  });
}

export function isImmediate(group: AnyGroup): boolean {
  return (
    isFixed(group) &&
    typeof group.key !== 'function' &&
    typeof group.cost !== 'function' &&
    group.throttle === undefined &&
    !group.table.policies.some(leavesWork)
  );
}

/** Whether a granted request needs further work: an event, a lease, a reservation. */
const leavesWork = (policy: Policy): boolean =>
  policy.shadow || policy.alertAt !== undefined || isConcurrency(policy) || isEstimated(policy, 1);

/** Whether the units of a request are an estimate that may be settled. */
export function isEstimated({ unit }: Policy, cost: RateLimitCost): boolean {
  return typeof cost === 'function' || (unit !== REQUESTS && unit !== CONCURRENT_REQUESTS);
}

/** The cost of a request that counts as `times` requests, such as a batch. */
export function multiplyCost(cost: RateLimitCost, times: number): RateLimitCost {
  if (typeof cost === 'number') return cost * times;
  // Checked before the multiplication, so that an error shows what the function returned.
  return async (request, context) => checkCost(await cost(request, context)) * times;
}
