/* What the module tells the app about attacks and spent budgets: each kind with its own fields, by the name of its type. */

/** What every event says. */
interface EventContext {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly requestId?: string | undefined;
  /** The client's address, in its one spelling. */
  readonly address?: string | undefined;
  /** The verified agent's ID. */
  readonly agent?: string | undefined;
}

export interface SecurityEventMap {
  /** A client has used a share of a limit that `alertAt` names: once a window, client and share. */
  'limit.threshold': {
    /** The policy's name, as clients see it. */
    readonly policy: string;
    /** Whose quota: `address`, an agent's ID, or what the policy's `key` returned. */
    readonly key: string;
    /** The share that was reached, from `alertAt`. */
    readonly share: number;
    readonly used: number;
    readonly limit: number;
    readonly windowMs: number;
  };
  /** A policy in shadow mode would have refused a request: once a window and client. */
  'limit.shadow': {
    readonly policy: string;
    readonly key: string;
    readonly limit: number;
    readonly windowMs: number;
  };
  /** A credential was refused. */
  'auth.refused': {
    /** More than clients are told. */
    readonly reason: 'malformed' | 'unknown' | 'revoked' | 'expired' | 'not-yet-valid' | 'invalid';
    /** How it was sent; `undefined` where its header could not be read. */
    readonly scheme: 'api-key' | 'bearer' | 'dpop' | undefined;
    /** The public ID of an API key, as it was claimed. */
    readonly keyId: string | undefined;
  };
  /** An address has used up its failed attempts: further bad credentials are answered with 429. */
  'auth.limited': {
    readonly limit: number;
    readonly windowMs: number;
  };
  /** A key that was in use was found revoked, or its agent disabled or removed: it does not count any more. */
  'auth.key-revoked': {
    readonly keyId: string;
  };
  /** The shared store of limits fails, or answers again: once a change. */
  'limit.store': {
    readonly state: 'failing' | 'healed';
    readonly reason?: string | undefined;
  };
}

export type SecurityEventType = keyof SecurityEventMap;

export type SecurityEvent<T extends SecurityEventType = SecurityEventType> = {
  [K in T]: EventContext & { readonly type: K } & SecurityEventMap[K];
}[T];
