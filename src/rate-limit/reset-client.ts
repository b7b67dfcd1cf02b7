/* Gives a client its units back, in the module's limits and in those of every route, in this process and in a shared store. */
import type { ModulesContainer } from '@nestjs/core';
import { eachHandler } from '../common/each-handler.js';
import { addressKey, SHARED_KEY } from '../common/ip-address.js';
import type { Call } from '../common/read-call.js';
import type { LimitedClient } from '../common/unguarded-limiter.js';
import type { DenialKeeper } from '../limiter/quota-request.js';
import { createDefaultQuotaRequest, isFixed, type QuotaGroup } from './create-quota-request.js';
import type { DeciderParts } from './decide-request.js';

export async function resetClient(
  {
    engine,
    plans,
    denials,
  }: Pick<DeciderParts, 'engine' | 'plans'> & { readonly denials: DenialKeeper | undefined },
  modules: ModulesContainer,
  client: LimitedClient,
): Promise<boolean> {
  denials?.forget();
  const routes = [...eachHandler(modules)].map(({ controller, handler }) => plans.get(controller, handler));
  const mcp = (['call', 'protocol'] as const).map(kind => plans.mcpPlan(kind, 1));
  const groups = [...routes, ...mcp].flatMap(plan => [...plan.groups, ...[...plan.tiers.values()].flat()]);
  // A limit that is not the client's own (`global`, a key of the app) stays as it is, and so does the address limit of an agent.
  const own = (group: QuotaGroup): boolean =>
    group.throttle === undefined &&
    (group.key === 'client' || (group.key !== 'global' && 'address' in client));
  const call = callOf(client);
  let isReset = true;
  for (const group of new Set([...plans.moduleGroups, ...groups.filter(isFixed)]))
    if (typeof group.key !== 'function' && own(group))
      isReset = (await engine.reset(createDefaultQuotaRequest(group, call))) && isReset;
  return isReset;
}

/** What the keys of limits are read from. */
function callOf(client: LimitedClient): Call {
  const address = 'address' in client ? client.address : '';
  const key = addressKey(address) ?? SHARED_KEY;
  const agent = 'agent' in client ? { id: client.agent } : undefined;
  return { state: { agent, client: { address, key } } } as unknown as Call;
}
