/* What one request asks of one group of policies: whose quota it is, and what it costs. */
import { createHash } from 'node:crypto';
import type { ExecutionContext } from '@nestjs/common';
import { addressBlock, type Key64, SHARED_KEY } from '../common/ip-address.js';
import { joinKey } from '../common/join-key.js';
import { callApp } from './app-function.js';
import { type QuotaRequest, checkCost, checkPartitionKey, policiesOf } from '../limiter/quota-request.js';
import { hashKey } from '../common/hash-key.js';
import { type Charge, EVERY_POLICY } from '../limiter/consume.js';
import type { RateLimitKey } from './limit-rule.js';
import { addressKeyOf, type Call, clientAddress, clientKey, clientName } from '../common/read-call.js';
import { type AnyGroup, isFixed, type QuotaGroup } from './route-plan.js';
import type { ThrottleSettings } from './throttle-metadata.js';

/** What a subclass of ThrottlerGuard chooses for every group that a `@Throttle()` does not choose it for. */
export type TrackerOverrides = Pick<ThrottleSettings, 'getTracker' | 'generateKey'>;

/** @throws LimitUnknownError for a limit that is looked up and not known, AppFunctionError for a function of the app that fails */
export async function createQuotaRequest(
  context: ExecutionContext,
  group: AnyGroup,
  call: Call,
  choices: TrackerOverrides,
): Promise<QuotaRequest> {
  const { request } = call;
  const { key, cost } = group;
  const throttle = isFixed(group) ? group.throttle : undefined;
  const units =
    typeof cost === 'function'
      ? await callApp('The cost function of a limit', cost, () => cost(request, context), checkCost)
      : checkCost(cost);
  const getTracker = throttle?.getTracker ?? choices.getTracker;
  const generateKey = throttle?.generateKey ?? choices.generateKey;
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
  // A text of the app's may read like an address or an agent's name.
  const partitionKey = custom === undefined ? tracker : joinKey('key', custom);
  const { scope } = group;
  const storeKey = joinKey(scope, partitionKey);
  // An address is counted under its number, custom keys under their hash; a table shared by routes tells them by the scope.
  const isPlain = isFixed(group) && custom === undefined && throttle === undefined;
  const number = isPlain ? numberOf(key, clientKey(call), addressKeyOf(call)) : hashKey(storeKey);
  const { table, mask } = isFixed(group)
    ? group
    : {
        table: await group.dynamic.tableOf({ partitionKey: tracker, key: number, request, context }),
        mask: EVERY_POLICY,
      };
  const whole = { table, mask, key: number, cost: units };
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
      table,
      mask: 1 << table.policies.indexOf(policy),
      key: hashKey(keys[index]!),
      cost: units,
    })),
  };
}

/** What a group asks of a request that none of its functions can be asked about: its cost, else one unit, of the client or the address. */
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

/** What a group that needs no function of the request costs a client. */
export function chargeOf({ table, mask, key, cost }: QuotaGroup, client: Key64, address: Key64): Charge {
  return { table, mask, key: numberOf(key, client, address), cost: cost as number };
}

/** A function that names nobody leaves the request to its address. */
function numberOf(key: RateLimitKey, client: Key64, address: Key64): Key64 {
  if (key === 'client') return client;
  return key === 'global' ? SHARED_KEY : address;
}

function nameOf(key: RateLimitKey, call: Call): string {
  if (key === 'client') return clientName(call);
  return key === 'global' ? 'global' : addressBlock(clientAddress(call));
}

/** One a standing: the first bits of what names the owner, which tell nobody the name. */
export function partitionKeysOf(quotaRequests: readonly QuotaRequest[]): readonly string[] {
  return quotaRequests.flatMap(({ partitionKey, charges, stored }) => {
    const key = createHash('sha256')
      .update(joinKey(stored[0]?.partitionKey ?? partitionKey))
      .digest()
      .subarray(0, 8)
      .toString('base64');
    return charges.flatMap(charge => policiesOf(charge).map(() => key));
  });
}
