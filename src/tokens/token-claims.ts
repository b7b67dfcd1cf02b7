/* Validates the registered claims of a token (RFC 7519 section 4.1, RFC 9068 section 4), and reads the agent from the others. */
import type { Agent } from '../common/agent.js';
import { isAgentId } from '../identity/create-agent.js';
import type {
  RejectedCredential,
  RejectedVerification,
  TokenCheck,
} from '../identity/rejected-credential.js';
import { checkPreset, type TokenPreset } from './token-presets.js';

/**
 * The claims of a token, whose signature, issuer, audience and times were verified.
 * @example
 * const agent = (claims: TokenClaims) => ({ id: String(claims.client_id), tenant: String(claims.org_id) });
 */
export type TokenClaims = Readonly<Record<string, unknown>>;

export interface ClaimRules {
  readonly issuer: string;
  /** Empty only with a preset whose tokens have no `aud`. */
  readonly audiences: readonly string[];
  readonly preset?: TokenPreset | undefined;
  /** The allowed values of `client_id`, where the preset checks it. */
  readonly clients?: readonly string[];
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
}

export const rejectToken = (
  check: TokenCheck,
  reason: RejectedCredential = 'invalid',
): RejectedVerification => ({
  verified: false,
  reason,
  check,
});

/** @returns when the token expires, by its own `exp` or by its maximum age; else its rejection */
export function checkClaims(
  claims: TokenClaims,
  rules: ClaimRules,
  nowMs: number,
): { readonly expiresMs: number } | RejectedVerification {
  const { issuer, audiences, preset, clients = [], maxAgeMs, clockToleranceMs } = rules;
  if (claims['iss'] !== issuer) return rejectToken('iss');
  if ((preset === undefined || audiences.length > 0) && !namesAudience(claims['aud'], audiences))
    return rejectToken('aud');
  const fault = checkPreset(claims, preset, clients);
  if (fault !== undefined) return rejectToken(fault);
  const exp = readSeconds(claims['exp']);
  const iat = readSeconds(claims['iat']);
  const nbf = claims['nbf'] === undefined ? -Infinity : readSeconds(claims['nbf']);
  if (exp === undefined) return rejectToken('exp');
  if (iat === undefined) return rejectToken('iat');
  if (nbf === undefined) return rejectToken('nbf');
  const sinceMs = nowMs - clockToleranceMs;
  if (exp * 1_000 <= sinceMs) return rejectToken('exp', 'expired');
  if (iat * 1_000 + maxAgeMs <= sinceMs) return rejectToken('max-age', 'expired');
  // A token with a future `iat` would outlive its maximum age.
  const untilMs = nowMs + clockToleranceMs;
  if (iat * 1_000 > untilMs) return rejectToken('iat', 'not-yet-valid');
  if (nbf * 1_000 > untilMs) return rejectToken('nbf', 'not-yet-valid');
  return { expiresMs: Math.min(exp * 1_000, iat * 1_000 + maxAgeMs) };
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
  /** One claim, or several, of which the first that is present is read. */
  readonly scopes: string | readonly string[];
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
  const scopes = readScopes(claims, names.scopes);
  const restrictsTools = claims[names.tools] !== undefined;
  const tools = readList(claims[names.tools]);
  const [tier, tenant] = [claims[names.tier], claims[names.tenant]];
  if (!isAgentId(id) || scopes === undefined || tools === undefined || !isText(tier) || !isText(tenant)) {
    return undefined;
  }
  return { id, scopes, tier, tenant, ...(restrictsTools ? { tools } : {}) };
}

function readScopes(claims: TokenClaims, names: string | readonly string[]): readonly string[] | undefined {
  const name = typeof names === 'string' ? names : names.find(each => claims[each] !== undefined);
  return name === undefined ? [] : readList(claims[name]);
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
