import type { Agent } from '../common/agent.js';
import type { IdentifiedAgent } from './auth.options.js';
import { createAgent } from '../identity/create-agent.js';
import { isAgentId, isScope } from '../identity/names.js';

const isText = (value: unknown): boolean => value === undefined || typeof value === 'string';

/** Validates what `auth.identify` returned. @throws TypeError for an invalid agent, which must not count as authenticated */
export function checkIdentified(found: IdentifiedAgent): Agent {
  const { id, scopes = [], tier, tenant, tools, claims = {} } = found;
  if (!isAgentId(id))
    throw new TypeError('auth.identify must return an agent with an id of 1 to 256 visible ASCII characters');
  if (!Array.isArray(scopes) || !scopes.every(isScope))
    throw new TypeError('auth.identify must return scopes as a list of scopes');
  if (!isText(tier) || !isText(tenant))
    throw new TypeError('auth.identify must return tier and tenant as strings');
  if (tools !== undefined && !(Array.isArray(tools) && tools.every(isText)))
    throw new TypeError('auth.identify must return tools as a list of strings');
  return createAgent({ id, kind: 'custom', scopes, tier, tenant, tools, claims });
}
