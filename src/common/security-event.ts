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
  /** The shared store of limits fails, or answers again: once a change. */
  'limit.store': {
    readonly state: 'failing' | 'healed';
    readonly reason?: string | undefined;
  };
  /** A browser has reported a violation of a Content-Security-Policy: at most one a second. Anybody can send such a report. */
  'csp.report': {
    readonly directive: string;
    /** The origin of what was blocked, or a keyword such as `inline`. */
    readonly blocked: string;
    readonly page: string | undefined;
    readonly disposition: 'enforce' | 'report';
    /** How often this directive was violated by this; 0 beyond `cspReports.maxKinds`. */
    readonly count: number;
    /** How many violations came since the event before, and had none of their own. */
    readonly untold: number;
  };
}

export type SecurityEventType = keyof SecurityEventMap;

export type SecurityEvent<T extends SecurityEventType = SecurityEventType> = {
  [K in T]: EventContext & { readonly type: K } & SecurityEventMap[K];
}[T];
