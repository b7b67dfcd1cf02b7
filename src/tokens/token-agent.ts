/* Reads the agent from the claims of a token. */
import type { Agent } from '../common/agent.js';
import { isAgentId } from '../identity/create-agent.js';

/**
 * The claims of a token, whose signature, issuer, audience and times were verified.
 * @example
 * const agent = (claims: TokenClaims) => ({ id: String(claims.client_id), tenant: String(claims.org_id) });
 */
export type TokenClaims = Readonly<Record<string, unknown>>;
/**
 * The fields of an agent that `auth.tokens.agent` returns.
 * @example
 * const fields: AgentFields = { id: 'reporting', scopes: ['reports:read'] };
 */
export type AgentFields = Pick<Agent, 'id'> & Partial<Pick<Agent, 'scopes' | 'tier' | 'tenant' | 'tools'>>;

/**
 * The names of the claims that describe the agent.
 * @example
 * const claims: Partial<ClaimNames> = { id: 'client_id', tenant: 'org_id' };
 */
export interface ClaimNames {
  readonly id: string;
  readonly scopes: string;
  readonly tier: string;
  readonly tenant: string;
  readonly tools: string;
}

export const DEFAULT_CLAIM_NAMES: ClaimNames = {
  id: 'sub',
  scopes: 'scope',
  tier: 'tier',
  tenant: 'tenant',
  tools: 'tools',
};

/** `undefined` if the claims have no valid agent ID, or a claim of the wrong type. */
export function readAgent(claims: TokenClaims, names: ClaimNames): AgentFields | undefined {
  const id = claims[names.id];
  const scopes = readList(claims[names.scopes]);
  const tools = claims[names.tools] === undefined ? [] : readList(claims[names.tools]);
  const [tier, tenant] = [claims[names.tier], claims[names.tenant]];
  // An invalid claim must not be ignored: it may restrict the agent.
  if (!isAgentId(id) || scopes === undefined || tools === undefined || !isText(tier) || !isText(tenant)) {
    return undefined;
  }
  return { id, scopes, tier, tenant, ...(claims[names.tools] === undefined ? {} : { tools }) };
}

function isText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

/** `"a b"` (RFC 8693 section 4.2), or an array, as several issuers send it. */
function readList(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  if (typeof value === 'string') return value.split(' ').filter(Boolean);
  return Array.isArray(value) && value.every(each => typeof each === 'string') ? value : undefined;
}
