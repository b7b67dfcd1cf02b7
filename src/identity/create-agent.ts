/* Creates agents, and checks their IDs and scopes, for every kind of credential. */
import type { Agent } from '../common/agent.js';
import type { ApiKeyRecord } from './api-key-store.js';

/** Creates the agent of one request: deeply frozen, and sharing nothing with other requests. */
export function createAgent({ id, kind, scopes, tier, tenant, tools, claims }: Agent): Agent {
  return Object.freeze({
    id,
    kind,
    scopes: Object.freeze([...scopes]),
    tier,
    tenant,
    tools: tools && Object.freeze([...tools]),
    claims: frozenCopy(claims) as Readonly<Record<string, unknown>>,
  });
}

/** The agent of an API key. A key may have fewer scopes than its agent, never more. */
export function agentOfKey({ id: keyId, agent, scopes }: ApiKeyRecord): Agent {
  return createAgent({
    ...agent,
    kind: 'api-key',
    scopes: scopes === undefined ? agent.scopes : agent.scopes.filter(scope => scopes.includes(scope)),
    claims: { ...agent.claims, key_id: keyId },
  });
}

/** Copies plain objects and arrays. Instances of classes, such as an entity of the app, are passed on as they are. */
function frozenCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([name, item]) => [name, frozenCopy(item)])),
  );
}

/** Visible ASCII: an agent's ID appears in logs, events and quota keys. */
const AGENT_ID = /^[\x21-\x7e]{1,256}$/;

/** RFC 6749 section 3.3: visible ASCII without quotes and backslashes. It appears between quotes in a header. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

export function isAgentId(value: unknown): value is string {
  return typeof value === 'string' && AGENT_ID.test(value);
}

export function isScope(value: unknown): value is string {
  return typeof value === 'string' && SCOPE.test(value);
}
