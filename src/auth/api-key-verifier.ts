/* Verifies API keys. An unknown ID, a wrong secret and a revoked key take the same steps and cost the same; nothing is cached. */
import type { Clock } from '../common/clock.js';
import { looksLikeApiKey, readApiKey } from './api-key-format.js';
import type { AgentRecord, ApiKeyRecord, ApiKeyStore } from './api-key-store.js';
import type { CredentialVerifier, RefusedCredential, Verification } from './credential.js';
import { agentOfKey } from './fresh-agent.js';
import type { KeyDigests } from './key-digest.js';

export class ApiKeyVerifier implements CredentialVerifier {
  constructor(
    private readonly store: ApiKeyStore,
    private readonly digests: KeyDigests,
    private readonly prefix: string,
    private readonly clock: Clock,
  ) {}

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
    const found = this.store.find(parts.id);
    const record = found instanceof Promise ? await found : found;
    const matches = this.digests.matches(record?.digest, parts);
    const reason = refusalOf(record, matches, this.clock.epochMs());
    return reason === undefined
      ? { verified: true, agent: agentOfKey(record!), expiresMs: record!.expiresMs }
      : { verified: false, reason };
  }

  /** The agent behind credentials that were made from a key, as it is now; `undefined` if there is none or it is disabled. */
  async currentAgent(id: string): Promise<AgentRecord | undefined> {
    const agent = await this.store.findAgent?.(id);
    return agent?.disabled === true ? undefined : agent;
  }
}

/** Only who has the secret learns more than that it was refused. */
function refusalOf(
  record: ApiKeyRecord | undefined,
  matches: boolean,
  nowMs: number,
): RefusedCredential | undefined {
  if (record === undefined) return 'unknown';
  if (!matches) return 'invalid';
  if (record.revoked === true || record.agent.disabled === true) return 'revoked';
  if (record.expiresMs !== undefined && nowMs >= record.expiresMs) return 'expired';
  if (record.notBeforeMs !== undefined && nowMs < record.notBeforeMs) return 'not-yet-valid';
  return undefined;
}
