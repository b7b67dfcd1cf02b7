/* The interface of verifiers of API keys and tokens. */
import type { Agent } from '../common/agent.js';

/** The part of a request that a verifier may read. */
export interface CredentialRequest {
  readonly method: string;
  /** As the client sent it: `https://api.example.com/tools`, without query and fragment. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Why a credential was rejected. Clients get `invalid_token` for each reason; `expired` adds the header `X-Token-Expired`. */
export type RejectedCredential =
  'malformed' | 'unknown' | 'revoked' | 'expired' | 'not-yet-valid' | 'invalid';

export type Verification =
  VerifiedCredential | { readonly verified: false; readonly reason: RejectedCredential };

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
