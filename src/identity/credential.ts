/* The interface of verifiers of API keys and tokens, and the challenges of their rejections. */
import type { Agent } from '../common/agent.js';

/** The part of a request that a verifier may read. Proofs of possession (DPoP) are bound to it. */
export interface CredentialRequest {
  readonly method: string;
  /** As the client sent it: `https://api.example.com/tools`, without query and fragment. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

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

/**
 * The result of a verification: the agent of a valid credential, or the reason of its rejection.
 * @example
 * const result: Verification = await apiKeys.verify(text);
 * return result.verified ? result.agent.id : result.reason;
 */
export type Verification = VerifiedCredential | RejectedVerification;

/**
 * A credential that was valid when it was verified, and a way to verify it again.
 * @example
 * const isStillValid = async (credential: VerifiedCredential) => (await credential.recheck()).verified;
 */
export interface VerifiedCredential {
  readonly verified: true;
  readonly agent: Agent;
  /** When the credential expires, in milliseconds since the epoch; `undefined` if it does not. */
  readonly expiresMs: number | undefined;
  /** Identifies the credential across verifications, without revealing its secret. */
  readonly credentialId: string;
  /**
   * Verifies the credential again, for connections that stay open: keys are revoked and expire, agents are disabled and lose scopes. The
   * text of the credential is not needed. Throws or rejects only if the store is unavailable.
   */
  recheck(): Verification | Promise<Verification>;
}

export interface CredentialVerifier {
  /** Rejects only if the credential cannot be verified at the moment, which is answered with 503; never because of what a client sent. */
  verify(credential: string, request: CredentialRequest): Promise<Verification>;
}

export type ChallengeParameter = readonly [name: string, value: string];

/**
 * A `WWW-Authenticate` challenge (RFC 9110 section 11.6.1): `Bearer error="insufficient_scope", scope="a b"`.
 * @param parameters whose values need no escapes
 */
export function challenge(scheme: string, parameters: readonly ChallengeParameter[] = []): string {
  const list = parameters.map(([name, value]) => `${name}="${value}"`).join(', ');
  return list === '' ? scheme : `${scheme} ${list}`;
}

/** @see RFC 6750 section 3 */
export const bearerChallenge = (parameters?: readonly ChallengeParameter[]): string =>
  challenge('Bearer', parameters);
