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
   * The key of an ID. It should take as long for an unknown ID as for a known one.
   * A rejection means that the store cannot tell, and is answered with 503.
   */
  find(id: string): ApiKeyRecord | undefined | Promise<ApiKeyRecord | undefined>;
  /**
   * The records that the key of an ID may be, always as many, found in the same steps for a known and an unknown ID. The secret tells
   * which it is. Where a store has it, it is asked in place of `find`.
   */
  candidates?(id: string): readonly ApiKeyRecord[];
  /** The agent of an ID: whether it still exists, and is enabled. For credentials that were made from a key. */
  findAgent?(id: string): AgentRecord | undefined | Promise<AgentRecord | undefined>;
  /** Called once before the first request. What it throws stops the start-up. */
  open?(hooks: KeyStoreHooks): void | Promise<void>;
  close?(): void | Promise<void>;
}
