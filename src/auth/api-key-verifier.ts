/* Verifies API keys. An unknown ID, a wrong secret and a revoked key take the same steps; nothing is cached. */
import type { Clock } from '../common/clock.js';
import type { Closable } from '../common/feature.js';
import type { ApiKeyRecord, ApiKeyStore } from '../identity/api-key-store.js';
import { agentOfKey } from '../identity/create-agent.js';
import type { CredentialVerifier, Verification, VerifiedCredential } from '../identity/credential.js';
import { type KeyDigests, looksLikeApiKey, readApiKey } from './api-key.js';
import type { RejectedCredential } from '../identity/rejected-credential.js';
import { invalidityOf } from './key-validity.js';

/**
 * Verifies API keys against the key store. Inject it to verify a key that does not come with an HTTP request.
 * @example
 * const result = await apiKeys.verify(text);
 * if (!result.verified) throw new UnauthorizedException(result.reason);
 */
export class ApiKeyVerifier implements CredentialVerifier, Closable {
  constructor(
    private readonly store: ApiKeyStore,
    private readonly digests: KeyDigests,
    private readonly prefix: string,
    private readonly clock: Clock,
  ) {}

  /** Closes the key store. */
  async close(): Promise<void> {
    await this.store.close?.();
  }

  /** Asks the store for a key that does not exist. @throws what the store throws while it is unavailable @internal */
  async checkStore(): Promise<void> {
    await this.store.find('health');
  }

  /** Whether a credential has the prefix of an API key. */
  recognizes(credential: string): boolean {
    return looksLikeApiKey(credential, this.prefix);
  }

  /** The public ID of a key, for logs and events; `undefined` for anything else. */
  keyIdOf(credential: string): string | undefined {
    return readApiKey(credential, this.prefix)?.id;
  }

  /** Rejects only if the store is unavailable. */
  async verify(credential: string): Promise<Verification> {
    const parts = readApiKey(credential, this.prefix);
    if (parts === undefined) return rejected('malformed');
    const record = await this.store.find(parts.id);
    // Both are computed before either decides: an unknown ID, a wrong secret and a revoked key take the same steps.
    const matches = this.digests.matches(record?.digest, parts);
    const invalidity = invalidityOf(record, this.clock.epochMs());
    if (record?.id !== parts.id) return rejected('unknown');
    const reason = matches ? invalidity : 'invalid';
    return reason === undefined ? this.#accept(record) : rejected(reason);
  }

  #accept(record: ApiKeyRecord): VerifiedCredential {
    const verified: VerifiedCredential = {
      verified: true,
      agent: agentOfKey(record),
      expiresMs: record.expiresMs,
      credentialId: record.id,
      recheck: () => {
        const found = this.store.find(record.id);
        const decide = (current: ApiKeyRecord | undefined): Verification => {
          // A record with another digest is another key, and a key of another agent is another identity.
          if (current?.digest !== record.digest || current.agent.id !== record.agent.id)
            return rejected('revoked');
          const reason = invalidityOf(current, this.clock.epochMs());
          if (reason !== undefined) return rejected(reason);
          return current === record ? verified : this.#accept(current);
        };
        return found instanceof Promise ? found.then(decide) : decide(found);
      },
    };
    return verified;
  }
}

const rejected = (reason: RejectedCredential): Verification => ({ verified: false, reason });
