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
    /** The share that was reached, from `alertAt`: of the limit, or of what a token bucket holds. */
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
  'auth.rejected': {
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
  /** An open connection was closed, since the identity that it was opened with does not count any more. */
  'auth.closed': {
    /** `unavailable`: the store could not tell for ten seconds. */
    readonly reason: 'revoked' | 'expired' | 'unavailable';
    /** What was open: a WebSocket, or a response such as an event stream. */
    readonly connection: 'websocket' | 'response';
  };
  /** The shared store of limits fails, or answers again: once a change. */
  'limit.store': {
    readonly state: 'failing' | 'healed';
    readonly reason?: string | undefined;
  };
  /** A call of a tool was refused. */
  'tool.rejected': {
    readonly tool: string;
    readonly reason: 'agent-required' | 'not-listed' | 'scope-missing' | 'over-limit' | 'store-failing';
    /** The code of the answer's problem. */
    readonly code: string;
  };
  /** An agent has made as many calls of a tool as its `alertAt` names: once a window, agent and threshold. */
  'tool.threshold': {
    readonly tool: string;
    /** As it stands in `alertAt`: a share of the limit, or a number of calls. */
    readonly threshold: number;
    readonly used: number;
    readonly limit: number;
    readonly windowMs: number;
  };
  /** An agent calls a tool for the first time since this process knows it. */
  'tool.first-use': {
    readonly tool: string;
    readonly impact: 'low' | 'medium' | 'high';
    /** How many tools it has called by now, this one among them. */
    readonly tools: number;
  };
  /** An agent was refused many times within a minute: told at the run, at twice it, four times it … */
  'tool.denials': {
    /** Of the last refusal. */
    readonly tool: string;
    readonly reason: SecurityEventMap['tool.rejected']['reason'];
    readonly count: number;
  };
  /** A sink of the audit fails, or takes records again: once a change. */
  'audit.failing': {
    readonly sink: string;
    readonly state: 'failing' | 'healed';
    readonly reason?: string | undefined;
    /** Records of low impact that were dropped meanwhile. */
    readonly dropped: number;
  };
  /** A browser has reported a violation of a Content-Security-Policy: at most one a second. Anybody can send such a report. */
  'csp.report': {
    readonly directive: string;
    /** The origin of what was blocked, or a keyword such as `inline`. */
    readonly blocked: string;
    readonly page: string | undefined;
    readonly disposition: 'enforce' | 'report';
    /** How often this directive was violated by this; 0 where it is not counted apart. */
    readonly count: number;
    /** How many violations since the previous event had no event of their own. */
    readonly omitted: number;
  };
}

export type SecurityEventType = keyof SecurityEventMap;

export type SecurityEvent<T extends SecurityEventType = SecurityEventType> = {
  [K in T]: EventContext & { readonly type: K } & SecurityEventMap[K];
}[T];
