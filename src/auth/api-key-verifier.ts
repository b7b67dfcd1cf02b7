/* Verifies API keys. An unknown ID, a wrong secret and a revoked key take the same steps and cost the same; nothing is cached. */
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { Closable } from '../common/feature.js';
import { looksLikeApiKey, readApiKey } from './api-key-format.js';
import type { AgentRecord, ApiKeyRecord, ApiKeyStore } from '../identity/api-key-store.js';
import type {
  CredentialVerifier,
  RejectedCredential,
  Verification,
  VerifiedCredential,
} from '../identity/credential.js';
import { agentOfKey } from '../identity/fresh-agent.js';
import type { KeyDigests } from './key-digest.js';

export class ApiKeyVerifier implements CredentialVerifier, Closable {
  constructor(
    private readonly store: ApiKeyStore,
    private readonly digests: KeyDigests,
    private readonly prefix: string,
    private readonly clock: Clock,
  ) {}

  /** Closes the store of the keys. */
  async close(): Promise<void> {
    await this.store.close?.();
  }

  /** Whether a credential means to be an API key. */
  recognizes(credential: string): boolean {
    return looksLikeApiKey(credential, this.prefix);
  }

  /** The public ID of a key, for logs and events; `undefined` for what is no key. */
  keyIdOf(credential: string): string | undefined {
    return readApiKey(credential, this.prefix)?.id;
  }

  /** Rejects only if the store cannot tell. */
  async verify(credential: string): Promise<Verification> {
    const parts = readApiKey(credential, this.prefix);
    if (parts === undefined) return { verified: false, reason: 'malformed' };
    const candidates = this.store.candidates?.(parts.id) ?? [await this.store.find(parts.id)];
    const nowMs = this.clock.epochMs();
    const matchesDigest = this.digests.read(parts);
    let known: ApiKeyRecord | undefined;
    let opened: ApiKeyRecord | undefined;
    let obstacle: RejectedCredential | undefined;
    // Everything is looked at, of all of them, before anything is said.
    for (const candidate of candidates.length === 0 ? NOBODY : candidates) {
      const isNamed = candidate?.id === parts.id;
      const matches = matchesDigest(candidate?.digest);
      const state = obstacleOf(candidate, nowMs);
      if (isNamed) known = candidate;
      // A digest that was copied to another key's record opens nothing.
      if (isNamed && matches) [opened, obstacle] = [candidate, state];
    }
    const reason = opened === undefined ? (known === undefined ? 'unknown' : 'invalid') : obstacle;
    return reason === undefined ? new VerifiedKey(opened!, this) : { verified: false, reason };
  }

  /** A key as it is now, by the record that it was verified with. Throws or rejects only if the store cannot tell. */
  recheck(verified: VerifiedKey, before: ApiKeyRecord): Verification | Promise<Verification> {
    const found = this.store.find(before.id);
    const decide = (record: ApiKeyRecord | undefined): Verification => {
      // A record with another digest is another key, and a key of another agent is another identity.
      if (record === undefined || record.digest !== before.digest || record.agent.id !== before.agent.id)
        return { verified: false, reason: 'revoked' };
      const reason = obstacleOf(record, this.clock.epochMs());
      if (reason !== undefined) return { verified: false, reason };
      return record === before ? verified : new VerifiedKey(record, this);
    };
    return found instanceof Promise ? found.then(decide) : decide(found);
  }

  /** The agent behind credentials that were made from a key, as it is now; `undefined` if there is none or it is disabled. */
  async currentAgent(id: string): Promise<AgentRecord | undefined> {
    const agent = await this.store.findAgent?.(id);
    return agent?.disabled === true ? undefined : agent;
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

/** What is compared where there is nobody: as much as otherwise. */
const NOBODY: readonly undefined[] = [undefined, undefined];

/** Only who has the secret learns more than that it was refused. Each part is read, whatever another says: a look at memory takes time. */
function obstacleOf(record: ApiKeyRecord | undefined, nowMs: number): RejectedCredential | undefined {
  const disabled = record?.agent.disabled === true;
  const revoked = record?.revoked === true;
  const expired = record?.expiresMs !== undefined && nowMs >= record.expiresMs;
  const early = record?.notBeforeMs !== undefined && nowMs < record.notBeforeMs;
  if (revoked || disabled) return 'revoked';
  if (expired) return 'expired';
  return early ? 'not-yet-valid' : undefined;
}
