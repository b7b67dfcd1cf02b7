/* What every kind of credential is verified by, and what comes of it. */
import type { Agent } from '../common/agent.js';

/** What a verifier may look at beside the credential itself. */
export interface CredentialRequest {
  readonly method: string;
  /** As the client named it: `https://api.example.com/tools`, without query and fragment. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Why a credential was refused. Clients hear `invalid_token` for all of them; only `expired` is told apart (`X-Token-Expired`). */
export type RejectedCredential =
  'malformed' | 'unknown' | 'revoked' | 'expired' | 'not-yet-valid' | 'invalid';

export type Verification =
  VerifiedCredential | { readonly verified: false; readonly reason: RejectedCredential };

export interface VerifiedCredential {
  readonly verified: true;
  readonly agent: Agent;
  /** Until when the credential itself is valid, in milliseconds since the epoch; `undefined` for no end. */
  readonly expiresMs: number | undefined;
  /** Equal for all verifications of one credential. It reveals nothing of its secret. */
  readonly credentialId: string;
  /**
   * Verifies the credential again as it is now, for a connection that outlives its request: keys are revoked and expire, agents are
   * disabled and lose scopes. The text of the credential is not needed. Throws or rejects only if the store cannot tell.
   */
  recheck(): Verification | Promise<Verification>;
}

export interface CredentialVerifier {
  /** Never rejects because of what a client sent. */
  verify(credential: string, request: CredentialRequest): Promise<Verification>;
}
