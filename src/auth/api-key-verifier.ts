/* Verifies API keys. An unknown ID, a wrong secret and a revoked key take the same steps; nothing is cached. */
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { Closable } from '../common/feature.js';
import { looksLikeApiKey, readApiKey, type KeyDigests } from './api-key.js';
import type { ApiKeyRecord, ApiKeyStore } from '../identity/api-key-store.js';
import type {
  CredentialVerifier,
  RejectedCredential,
  Verification,
  VerifiedCredential,
} from '../identity/credential.js';
import { agentOfKey } from '../identity/create-agent.js';

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
    if (parts === undefined) return { verified: false, reason: 'malformed' };
    const record = await this.store.find(parts.id);
    // Both are computed before either decides: an unknown ID, a wrong secret and a revoked key take the same steps.
    const matches = this.digests.matches(record?.digest, parts);
    const invalidity = invalidityOf(record, this.clock.epochMs());
    if (record?.id !== parts.id) return { verified: false, reason: 'unknown' };
    const reason = matches ? invalidity : 'invalid';
    return reason === undefined ? new VerifiedKey(record, this) : { verified: false, reason };
  }

  /** Verifies a key again, by the record that it was verified with. Throws or rejects only if the store is unavailable. */
  recheck(verified: VerifiedKey, before: ApiKeyRecord): Verification | Promise<Verification> {
    const found = this.store.find(before.id);
    const decide = (record: ApiKeyRecord | undefined): Verification => {
      // A record with another digest is another key, and a key of another agent is another identity.
      if (record === undefined || record.digest !== before.digest || record.agent.id !== before.agent.id)
        return { verified: false, reason: 'revoked' };
      const reason = invalidityOf(record, this.clock.epochMs());
      if (reason !== undefined) return { verified: false, reason };
      return record === before ? verified : new VerifiedKey(record, this);
    };
    return found instanceof Promise ? found.then(decide) : decide(found);
  }
}

class VerifiedKey implements VerifiedCredential {
  readonly verified = true;
  readonly agent: Agent;
  readonly expiresMs: number | undefined;
  readonly #record: ApiKeyRecord;
  readonly #verifier: ApiKeyVerifier;

  constructor(record: ApiKeyRecord, verifier: ApiKeyVerifier) {
    this.agent = agentOfKey(record);
    this.expiresMs = record.expiresMs;
    this.#record = record;
    this.#verifier = verifier;
  }

  get credentialId(): string {
    return this.#record.id;
  }

  recheck(): Verification | Promise<Verification> {
    return this.#verifier.recheck(this, this.#record);
  }
}

/** Why a key with the right secret is not valid. All fields are read in any case, so that each record takes the same steps. */
function invalidityOf(record: ApiKeyRecord | undefined, nowMs: number): RejectedCredential | undefined {
  const disabled = record?.agent.disabled === true;
  const revoked = record?.revoked === true;
  const expired = record?.expiresMs !== undefined && nowMs >= record.expiresMs;
  const early = record?.notBeforeMs !== undefined && nowMs < record.notBeforeMs;
  if (revoked || disabled) return 'revoked';
  if (expired) return 'expired';
  return early ? 'not-yet-valid' : undefined;
}
