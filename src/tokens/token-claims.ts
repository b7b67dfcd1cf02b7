/* Validates the registered claims of a token (RFC 7519 section 4.1, RFC 9068 section 4), and reads the agent from the others. */
import type { Agent } from '../common/agent.js';
import { isAgentId } from '../identity/create-agent.js';
import type { RejectedCredential } from '../identity/credential.js';

/**
 * The claims of a token, whose signature, issuer, audience and times were verified.
 * @example
 * const agent = (claims: TokenClaims) => ({ id: String(claims.client_id), tenant: String(claims.org_id) });
 */
export type TokenClaims = Readonly<Record<string, unknown>>;

export interface ClaimRules {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
}

/** @returns when the token expires, by its own `exp` or by its maximum age; else the reason of its rejection */
export function checkClaims(
  claims: TokenClaims,
  rules: ClaimRules,
  nowMs: number,
): { readonly expiresMs: number } | RejectedCredential {
  if (claims['iss'] !== rules.issuer || !namesAudience(claims['aud'], rules.audiences)) return 'invalid';
  const exp = readSeconds(claims['exp']);
  const iat = readSeconds(claims['iat']);
  const nbf = claims['nbf'] === undefined ? -Infinity : readSeconds(claims['nbf']);
  if (exp === undefined || iat === undefined || nbf === undefined) return 'invalid';
  const expiresMs = Math.min(exp * 1_000, iat * 1_000 + rules.maxAgeMs);
  if (expiresMs + rules.clockToleranceMs <= nowMs) return 'expired';
  // A token with a future `iat` would outlive its maximum age.
  return Math.max(nbf, iat) * 1_000 - rules.clockToleranceMs > nowMs ? 'not-yet-valid' : { expiresMs };
}

function namesAudience(aud: unknown, audiences: readonly string[]): boolean {
  if (typeof aud === 'string') return audiences.includes(aud);
  return Array.isArray(aud) && aud.some(each => typeof each === 'string' && audiences.includes(each));
}

/** A NumericDate (RFC 7519 section 2): a number, not a numeric string. */
function readSeconds(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) < 1e12 ? value : undefined;
}

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

/** `undefined` if the claims have no valid agent ID, or a claim of the wrong type: an invalid claim may restrict the agent. */
export function readAgent(claims: TokenClaims, names: ClaimNames): AgentFields | undefined {
  const id = claims[names.id];
  const scopes = readList(claims[names.scopes]);
  const restrictsTools = claims[names.tools] !== undefined;
  const tools = readList(claims[names.tools]);
  const [tier, tenant] = [claims[names.tier], claims[names.tenant]];
  if (!isAgentId(id) || scopes === undefined || tools === undefined || !isText(tier) || !isText(tenant)) {
    return undefined;
  }
  return { id, scopes, tier, tenant, ...(restrictsTools ? { tools } : {}) };
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
