/* Where API keys are kept, as a verifier needs it. */

/** What an operator says about an agent. */
export interface AgentRecord {
  readonly id: string;
  readonly scopes: readonly string[];
  readonly tier?: string | undefined;
  readonly tenant?: string | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** The kill switch: none of its credentials counts any more. */
  readonly disabled?: boolean | undefined;
}

export interface ApiKeyRecord {
  readonly id: string;
  /** `v1.<pepper>.<HMAC>`, as `KeyDigests` makes it; never the secret. */
  readonly digest: string;
  readonly agent: AgentRecord;
  /** The part of the agent's scopes that this key has. @default all of them */
  readonly scopes?: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly notBeforeMs?: number | undefined;
  readonly expiresMs?: number | undefined;
  readonly revoked?: boolean | undefined;
}

/** What a store may tell while it is open. */
export interface KeyStoreHooks {
  warn(message: string): void;
  /** A key was found revoked, or its agent disabled, that was in use before. */
  revoked(keyId: string, agent: string): void;
}

/** Records are trusted to be immutable: the verifier copies what it hands out. */
export interface ApiKeyStore {
  /**
   * Returns the record of a key ID. Key IDs are public, so an unknown ID need not take as long as a known one.
   * An error or a rejection means that the store is unavailable: the request gets 503.
   */
  find(id: string): ApiKeyRecord | undefined | Promise<ApiKeyRecord | undefined>;
  /** The agent of an ID: whether it still exists, and is enabled. For credentials that were made from a key. */
  findAgent?(id: string): AgentRecord | undefined | Promise<AgentRecord | undefined>;
  /** Called once before the first request. What it throws stops the start-up. */
  open?(hooks: KeyStoreHooks): void | Promise<void>;
  close?(): void | Promise<void>;
}
