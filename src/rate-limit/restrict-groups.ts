/* The part of quota groups that concerns some policies. */
import { isConcurrency } from '../limiter/quota-request.js';
import { type AnyGroup, isFixed, type QuotaGroup } from './create-quota-request.js';
import { restrictMask } from '../limiter/restrict-request.js';

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

/** The concurrency limits of the groups: an open stream holds a lease as a call does. */
export function onlyConcurrency(groups: readonly AnyGroup[]): readonly AnyGroup[] {
  return groups.flatMap((group): AnyGroup[] => {
    if (!isFixed(group)) return group.dynamic.isConcurrency ? [group] : [];
    const mask = restrictMask(group, isConcurrency);
    return mask === 0 ? [] : [{ ...group, mask }];
  });
}
