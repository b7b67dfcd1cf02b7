/* Validates the registered claims of a token (RFC 7519 section 4.1, RFC 9068 section 4). */
import type { RejectedCredential } from '../identity/credential.js';

export interface ClaimRules {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
}

export type ClaimDecision =
  | {
      readonly valid: true;
      /** When the token expires, by its own `exp` or by `maxAge`. */
      readonly expiresMs: number;
    }
  | {
      readonly valid: false;
      readonly reason: Extract<RejectedCredential, 'expired' | 'not-yet-valid' | 'invalid'>;
    };

const INVALID = { valid: false, reason: 'invalid' } as const;

export function checkClaims(
  claims: Readonly<Record<string, unknown>>,
  rules: ClaimRules,
  nowMs: number,
): ClaimDecision {
  if (claims['iss'] !== rules.issuer || !namesAudience(claims['aud'], rules.audiences)) return INVALID;
  const exp = readSeconds(claims['exp']);
  const iat = readSeconds(claims['iat']);
  const nbf = claims['nbf'] === undefined ? -Infinity : readSeconds(claims['nbf']);
  if (exp === undefined || iat === undefined || nbf === undefined) return INVALID;
  const expiresMs = Math.min(exp * 1_000, iat * 1_000 + rules.maxAgeMs);
  if (expiresMs + rules.clockToleranceMs <= nowMs) return { valid: false, reason: 'expired' };
  // A token with a future `iat` would outlive its maximum age.
  if (Math.max(nbf, iat) * 1_000 - rules.clockToleranceMs > nowMs) {
    return { valid: false, reason: 'not-yet-valid' };
  }
  return { valid: true, expiresMs };
}

function namesAudience(aud: unknown, audiences: readonly string[]): boolean {
  if (typeof aud === 'string') return audiences.includes(aud);
  return Array.isArray(aud) && aud.some(each => typeof each === 'string' && audiences.includes(each));
}

/** A NumericDate (RFC 7519 section 2): a number, not a numeric string. */
function readSeconds(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) < 1e12 ? value : undefined;
}
