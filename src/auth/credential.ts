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
export type RefusedCredential = 'malformed' | 'unknown' | 'revoked' | 'expired' | 'not-yet-valid' | 'invalid';

export type Verification =
  | {
      readonly verified: true;
      readonly agent: Agent;
      /** Until when the credential itself is valid, in milliseconds since the epoch; `undefined` for no end. */
      readonly expiresMs: number | undefined;
    }
  | { readonly verified: false; readonly reason: RefusedCredential };

export interface CredentialVerifier {
  /** Never rejects because of what a client sent. */
  verify(credential: string, request: CredentialRequest): Promise<Verification>;
}
