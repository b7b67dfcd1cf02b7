/* What one request takes from one group of policies: the partition key and the cost. */
import type { ExecutionContext } from '@nestjs/common';
import { addressBlock, type Key64, SHARED_KEY } from '../common/ip-address.js';
import { joinKey } from '../common/join-key.js';
import { callApp } from './app-function.js';
import {
  type QuotaRequest,
  checkCost,
  checkPartitionKey,
  policiesOf,
  isConcurrency,
  restrictMask,
} from '../limiter/quota-request.js';
import { hashKey } from '../common/hash-key.js';
import { type Charge, EVERY_POLICY } from '../limiter/consume.js';
import type { RateLimitKey, RateLimitCost } from './policy-options.js';
import { addressKeyOf, type Call, clientAddress, clientKey, clientName } from '../common/read-call.js';
import type { ThrottleSettings } from './throttle-groups.js';
import { CONCURRENT_REQUESTS, type Policy, REQUESTS } from '../limiter/policy.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import type { DynamicLimit } from './dynamic-limits.js';

/** What a subclass of the guard overrides, for every group whose `@Throttle()` does not. */
export type TrackerOverrides = Pick<ThrottleSettings, 'getTracker' | 'generateKey'>;

/** @throws LimitUnknownError for a dynamic limit that is not known, AppFunctionError for a function of the app that fails */
export async function createQuotaRequest(
  context: ExecutionContext,
  group: AnyGroup,
  call: Call,
  overrides: TrackerOverrides,
): Promise<QuotaRequest> {
  const { request } = call;
  const { key, cost } = group;
  const throttle = isFixed(group) ? group.throttle : undefined;
  const units =
    typeof cost === 'function'
      ? await callApp('The cost function of a limit', cost, () => cost(request, context), checkCost)
      : checkCost(cost);
  const getTracker = throttle?.getTracker ?? overrides.getTracker;
  const generateKey = throttle?.generateKey ?? overrides.generateKey;
  const custom = getTracker
    ? await callApp(
        'The tracker of a limit',
        getTracker,
        () => getTracker(request as unknown as Record<string, unknown>, context),
        value => checkPartitionKey('The tracker', value),
      )
    : typeof key === 'function'
      ? await callApp(
          'The key function of a limit',
          key,
          () => key(request, context),
          value => checkPartitionKey('The key of a limit', value),
        )
      : undefined;
  const tracker = custom ?? nameOf(key, call);
  // A key of the app may read like an address or an agent's name.
  const partitionKey = custom === undefined ? tracker : joinKey('key', custom);
  const { scope } = group;
  const storeKey = joinKey(scope, partitionKey);
  // An address is counted under its number, custom keys under their hash: a table that routes share tells them apart by the scope.
  const isPlain = isFixed(group) && custom === undefined && throttle === undefined;
  const number = isPlain ? numberOf(key, clientKey(call), addressKeyOf(call)) : hashKey(storeKey);
  const place = isFixed(group)
    ? { table: group.table, mask: group.mask }
    : {
        ...(await group.dynamic.resolve({ partitionKey: tracker, key: number, request, context })),
        mask: EVERY_POLICY,
      };
  const whole: Charge = { ...place, key: number, cost: units };
  const policies = policiesOf(whole);
  if (generateKey === undefined) {
    return {
      partitionKey: tracker,
      stored: [
        { key: storeKey, scope, partitionKey, isAddress: custom === undefined, policies, cost: units },
      ],
      charges: [whole],
    };
  }
  const keys = await callApp(
    'The generateKey() of a limit',
    generateKey,
    () => policies.map(({ name }) => generateKey(context, tracker, name)),
    values =>
      (values as unknown[]).map(value => checkPartitionKey('What generateKey() returns', value) ?? ''),
  );
  return {
    partitionKey: tracker,
    stored: policies.map((policy, index) => ({ key: keys[index]!, policies: [policy], cost: units })),
    charges: policies.map((policy, index) => ({
      ...place,
      mask: 1 << place.table.policies.indexOf(policy),
      key: hashKey(keys[index]!),
      cost: units,
    })),
  };
}

/** The request without any function of the app: its cost or else one unit, by the client or the address. */
export function createDefaultQuotaRequest(group: QuotaGroup, call: Call): QuotaRequest {
  const { scope, table, mask, key } = group;
  const cost = typeof group.cost === 'number' ? group.cost : 1;
  const partitionKey = nameOf(key, call);
  const number =
    group.throttle === undefined
      ? numberOf(key, clientKey(call), addressKeyOf(call))
      : hashKey(joinKey(scope, partitionKey));
  const charge = { table, mask, key: number, cost };
  const policies = policiesOf(charge);
  return {
    partitionKey,
    charges: [charge],
    stored: [{ key: joinKey(scope, partitionKey), scope, partitionKey, isAddress: true, policies, cost }],
  };
}

/** The charge of a group that needs no function of the app. */
export function chargeOf({ table, mask, key, cost }: QuotaGroup, client: Key64, address: Key64): Charge {
  return { table, mask, key: numberOf(key, client, address), cost: cost as number };
}

/** A function that returned no key leaves the request to its address. */
function numberOf(key: RateLimitKey, client: Key64, address: Key64): Key64 {
  if (key === 'client') return client;
  return key === 'global' ? SHARED_KEY : address;
}

function nameOf(key: RateLimitKey, call: Call): string {
  if (key === 'client') return clientName(call);
  return key === 'global' ? 'global' : addressBlock(clientAddress(call));
}

/* The quotas of a route: policies that are counted under one key. */

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
interface DynamicGroup extends Pick<QuotaGroup, 'key' | 'cost' | 'scope'> {
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
