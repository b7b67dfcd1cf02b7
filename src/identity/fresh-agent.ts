import type { Agent } from '../common/agent.js';
import type { ApiKeyRecord } from './api-key-store.js';

/** An agent for one request: frozen through and through, and nothing in it is shared with the next. */
export function freshAgent(parts: {
  readonly id: string;
  readonly kind: Agent['kind'];
  readonly scopes: readonly string[];
  readonly tier?: string | undefined;
  readonly tenant?: string | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}): Agent {
  const { id, kind, scopes, tier, tenant, tools, claims } = parts;
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

/** The agent of a key. A key may have fewer scopes than its agent, never more. */
export function agentOfKey({ id: keyId, agent, scopes }: ApiKeyRecord): Agent {
  return freshAgent({
    ...agent,
    kind: 'api-key',
    scopes: scopes === undefined ? agent.scopes : agent.scopes.filter(scope => scopes.includes(scope)),
    claims: { ...agent.claims, key_id: keyId },
  });
}

/** Copies what JSON can hold; whatever else there is (an entity of the app's own) stays the object that it is. */
function frozenCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([name, item]) => [name, frozenCopy(item)])),
  );
}
