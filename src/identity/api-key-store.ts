/* The interface of a key store. Implement it to keep API keys in a database of your own. */

/** An agent as it is configured by its operator. */
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

/** Callbacks of an open store. */
export interface KeyStoreHooks {
  warn(message: string): void;
  /** Call it when a key was revoked or its agent disabled: open connections with this key are closed. */
  revoked(keyId: string, agent: string): void;
}

/** Return new records for changes and do not mutate old ones. The verifier copies what it passes on. */
export interface ApiKeyStore {
  /**
   * Returns the record of a key ID. Key IDs are public, so an unknown ID need not take as long as a known one.
   * An error or a rejection means that the store is unavailable: the request gets 503.
   */
  find(id: string): ApiKeyRecord | undefined | Promise<ApiKeyRecord | undefined>;
  /** Returns the agent of an ID, to verify that it still exists and is enabled. Used for tokens that were issued for a key. */
  findAgent?(id: string): AgentRecord | undefined | Promise<AgentRecord | undefined>;
  /** Called once before the first request. An error stops the start-up. */
  open?(hooks: KeyStoreHooks): void | Promise<void>;
  close?(): void | Promise<void>;
}
