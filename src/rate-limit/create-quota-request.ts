/* What one request takes from one group of policies: the partition key and the cost. */
import type { ExecutionContext } from '@nestjs/common';
import { hashKey } from '../common/hash-key.js';
import { addressBlock, type Key64, SHARED_KEY } from '../common/ip-address.js';
import { joinKey } from '../common/join-key.js';
import type { Call } from '../common/read-call.js';
import { type Charge, EVERY_POLICY } from '../limiter/consume.js';
import { checkCost, checkPartitionKey, type QuotaRequest } from '../limiter/quota-request.js';
import type { StoredCharge } from '../limiter/store/quota-store.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import { callApp } from './app-function.js';
import type { DynamicLimit } from './dynamic-limits.js';
import type { RateLimitCost, RateLimitKey } from './limit-functions.js';
import type { ThrottleSettings } from './throttle-groups.js';
import { policiesOf } from '../limiter/restrict-request.js';
import { addressKeyOf, clientAddress, clientKey, clientName } from '../common/call-client.js';

/** Policies of a route that are counted under one key. */
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
  const { key: readKey, cost } = group;
  const throttle = isFixed(group) ? group.throttle : undefined;
  const units =
    typeof cost === 'function'
      ? await callApp('The cost function of a limit', cost, () => cost(request, context), checkCost)
      : cost;
  const getTracker = throttle?.getTracker ?? overrides.getTracker;
  const generateKey = throttle?.generateKey ?? overrides.generateKey;
  const custom = getTracker
    ? await callApp(
        'The tracker of a limit',
        getTracker,
        () => getTracker(request as unknown as Record<string, unknown>, context),
        value => checkPartitionKey('The tracker', value),
      )
    : typeof readKey === 'function'
      ? await callApp(
          'The key function of a limit',
          readKey,
          () => readKey(request, context),
          value => checkPartitionKey('The key of a limit', value),
        )
      : undefined;
  const { partitionKey, key, stored } = keysOf(group, call, custom);
  const place = isFixed(group)
    ? { table: group.table, mask: group.mask }
    : {
        ...(await group.dynamic.resolve({ partitionKey, key, request, context })),
        mask: EVERY_POLICY,
      };
  const policies = policiesOf(place);
  if (generateKey === undefined) {
    return {
      partitionKey,
      stored: [{ ...stored, policies, cost: units }],
      charges: [{ ...place, key, cost: units }],
    };
  }
  const generated = await callApp(
    'The generateKey() of a limit',
    generateKey,
    () => policies.map(({ name }) => generateKey(context, partitionKey, name)),
    values =>
      (values as unknown[]).map(value => checkPartitionKey('What generateKey() returns', value) ?? ''),
  );
  return {
    partitionKey,
    stored: policies.map((policy, index) => ({ key: generated[index]!, policies: [policy], cost: units })),
    charges: policies.map((policy, index) => ({
      ...place,
      mask: 1 << place.table.policies.indexOf(policy),
      key: hashKey(generated[index]!),
      cost: units,
    })),
  };
}

/** The request without any function of the app: its cost or else one unit, by the client or the address. */
export function createDefaultQuotaRequest(group: QuotaGroup, call: Call): QuotaRequest {
  const { partitionKey, key, stored } = keysOf(group, call);
  const { table, mask } = group;
  const cost = typeof group.cost === 'number' ? group.cost : 1;
  return {
    partitionKey,
    stored: [{ ...stored, policies: policiesOf(group), cost }],
    charges: [{ table, mask, key, cost }],
  };
}

/** The charges of groups that need no function of the app. */
export function chargesOf(groups: readonly QuotaGroup[], call: Call): readonly Charge[] {
  const client = clientKey(call);
  const address = addressKeyOf(call);
  return groups.map(({ table, mask, key, cost }) => ({
    table,
    mask,
    key: clientKeyOf(key, client, address),
    cost: cost as number,
  }));
}

/** The keys that a request is counted under, for events, in this process and in a shared store. @param custom a key of the app */
function keysOf(
  group: AnyGroup,
  call: Call,
  custom?: string,
): {
  /** As events name it. */
  readonly partitionKey: string;
  /** In the tables of this process. */
  readonly key: Key64;
  readonly stored: Pick<StoredCharge, 'key' | 'scope' | 'partitionKey' | 'isAddress'>;
} {
  const { scope } = group;
  const partitionKey = custom ?? clientNameOf(group.key, call);
  // A key of the app may read like an address or an agent's name.
  const storedPartitionKey = custom === undefined ? partitionKey : joinKey('key', custom);
  const storeKey = joinKey(scope, storedPartitionKey);
  // An address is counted under its bits, a key of the app under a hash with the scope, since routes may share a table.
  const isPlain = custom === undefined && isFixed(group) && group.throttle === undefined;
  return {
    partitionKey,
    key: isPlain ? clientKeyOf(group.key, clientKey(call), addressKeyOf(call)) : hashKey(storeKey),
    stored: { key: storeKey, scope, partitionKey: storedPartitionKey, isAddress: custom === undefined },
  };
}

/** A function that returned no key leaves the request to its address. */
function clientKeyOf(key: RateLimitKey, client: Key64, address: Key64): Key64 {
  if (key === 'client') return client;
  return key === 'global' ? SHARED_KEY : address;
}

function clientNameOf(key: RateLimitKey, call: Call): string {
  if (key === 'client') return clientName(call);
  return key === 'global' ? 'global' : addressBlock(clientAddress(call));
}
