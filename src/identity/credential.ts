/* The interface of verifiers of API keys and tokens. */
import type { Agent } from '../common/agent.js';
import type { RejectedVerification } from './rejected-credential.js';

/** The part of a request that a verifier may read. Proofs of possession (DPoP) are bound to it. */
export interface CredentialRequest {
  readonly method: string;
  /** As the client sent it: `https://api.example.com/tools`, without query and fragment. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
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
