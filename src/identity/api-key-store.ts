/* The interface of a key store. Implement it to keep API keys in a database of your own. */

/**
 * An agent as a key store returns it: the scopes, tier, tenant and tools that all of its keys share.
 * @example
 * const agent: AgentRecord = { id: 'reporting', scopes: ['reports:read'], tier: 'free' };
 */
export interface AgentRecord {
  readonly id: string;
  readonly scopes: readonly string[];
  readonly tier?: string | undefined;
  readonly tenant?: string | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** Rejects all credentials of the agent. */
  readonly disabled?: boolean | undefined;
}

/**
 * An API key as a key store returns it. It holds a digest of the key, never the secret.
 * Times are milliseconds since the epoch.
 * @example
 * const record: ApiKeyRecord = { id: row.id, digest: row.digest, agent, expiresMs: row.expires.getTime() };
 */
export interface ApiKeyRecord {
  readonly id: string;
  /** `v1.<pepper>.<HMAC>`, created by `KeyDigests`; never the secret. */
  readonly digest: string;
  readonly agent: AgentRecord;
  /** A subset of the agent's scopes. @default all of them */
  readonly scopes?: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly notBeforeMs?: number | undefined;
  readonly expiresMs?: number | undefined;
  readonly revoked?: boolean | undefined;
}

/**
 * Callbacks that `ApiKeyStore.open()` receives, for a store that notices changes by itself.
 * @example
 * open(hooks: KeyStoreHooks) { database.onRevoke(key => hooks.revoked(key.id, key.agentId)); }
 */
export interface KeyStoreHooks {
  warn(message: string): void;
  /** Call it when a key was revoked or its agent disabled: open connections with this key are closed. */
  revoked(keyId: string, agent: string): void;
}

/**
 * A key store of your own, for API keys in a database. Return new records for changes and do not mutate old ones.
 * The verifier copies what it passes on.
 * @example
 * const store: ApiKeyStore = { find: id => database.findKey(id) };
 * AgentSecurityModule.forRoot({ auth: { apiKeys: { store, secret } } });
 */
export interface ApiKeyStore {
  /**
   * Returns the record of a key ID. Key IDs are public, so an unknown ID need not take as long as a known one.
   * An error or a rejection means that the store is unavailable: the request gets 503.
   */
  find(id: string): ApiKeyRecord | undefined | Promise<ApiKeyRecord | undefined>;
  /** Returns the agent of an ID, to verify that it still exists and is enabled. Used for tokens that were issued for a key. */
  findAgent?(id: string): AgentRecord | undefined | Promise<AgentRecord | undefined>;
  /** Returns the agents that are known at start-up, after `open()`. A tier of theirs that `rateLimit.tiers` does not name stops it. */
  agents?(): Iterable<AgentRecord>;
  /** Disables an agent with all of its credentials, in every process: an action of the dashboard, which does not offer it without this method. */
  disableAgent?(id: string): Promise<void>;
  /** Called once before the first request. An error stops the start-up. */
  open?(hooks: KeyStoreHooks): void | Promise<void>;
  close?(): void | Promise<void>;
}
