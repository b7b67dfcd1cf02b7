/* Why a credential was rejected. */

/**
 * Why a credential was rejected. Clients get `invalid_token` for each reason; `expired` adds the header `X-Token-Expired`.
 * @example
 * const reason: RejectedCredential = 'expired';
 */
export type RejectedCredential =
  'malformed' | 'unknown' | 'revoked' | 'expired' | 'not-yet-valid' | 'invalid';

/**
 * The check that a rejected token has failed: the name of a claim or of a header parameter, or `format` (no signed token, or one with an
 * unsupported extension), `signature`, `use` (an ID token, by the rules of `preset`), `max-age` (older than `auth.tokens.maxAge`),
 * `agent` (no valid ID, or a claim of the wrong type), `dpop` (the proof is missing or invalid) or `revoked`.
 * @example
 * const check: TokenCheck = 'aud';
 */
export type TokenCheck =
  | 'format'
  | 'iss'
  | 'alg'
  | 'typ'
  | 'kid'
  | 'signature'
  | 'aud'
  | 'client_id'
  | 'use'
  | 'exp'
  | 'iat'
  | 'nbf'
  | 'max-age'
  | 'cnf'
  | 'agent'
  | 'dpop'
  | 'revoked';

/** A credential that was rejected. */
export interface RejectedVerification {
  readonly verified: false;
  readonly reason: RejectedCredential;
  /** Of a token. */
  readonly check?: TokenCheck;
}
