/* Security events: emits them to listeners in the app and to a diagnostics channel, and defines the fields of each type. */
import { channel } from 'node:diagnostics_channel';
import { filter, Observable, Subject } from 'rxjs';
import { logLine } from '../common/log-text.js';
import type { TokenCheck } from '../identity/rejected-credential.js';

/**
 * The name of the `node:diagnostics_channel` that publishes every event, for tools outside Nest.
 * @example
 * subscribe(SECURITY_EVENTS_CHANNEL, event => tracer.record(event));
 */
export const SECURITY_EVENTS_CHANNEL = 'nestjs-agent-security';

/**
 * Emits security events: exceeded limits, rejected credentials, unusual tool calls. An error of a listener becomes a
 * process warning and does not affect the request.
 * @example
 * events.on('limit.threshold', ({ agent, policy, share }) => alert(agent, policy, share));
 */
export class SecurityEvents {
  readonly #log: ((event: SecurityEvent) => void) | undefined;
  readonly #subject = new Subject<SecurityEvent>();
  readonly #channel = channel(SECURITY_EVENTS_CHANNEL);

  /** @param log called with every event; it counts as no listener */
  constructor(log?: (event: SecurityEvent) => void) {
    this.#log = log;
  }

  /** Every event. */
  readonly all: Observable<SecurityEvent> = this.#subject.asObservable();

  /** The events of one type. */
  of<T extends SecurityEventType>(type: T): Observable<SecurityEvent<T>> {
    return this.all.pipe(filter(event => event.type === type)) as unknown as Observable<SecurityEvent<T>>;
  }

  /** Calls `listener` for each event of a type. @returns a function that removes the listener */
  on<T extends SecurityEventType>(type: T, listener: (event: SecurityEvent<T>) => void): () => void {
    const subscription = this.of(type).subscribe(event => {
      try {
        listener(event);
      } catch (error) {
        process.emitWarning(logLine`A listener of the security event "${type}" failed: ${error}`);
      }
    });
    return () => subscription.unsubscribe();
  }

  /** Whether there is a listener. Check it before you compute an expensive event. */
  get isObserved(): boolean {
    return this.#subject.observed || this.#channel.hasSubscribers;
  }

  emit(event: SecurityEvent): void {
    this.#log?.(event);
    this.#subject.next(event);
    if (this.#channel.hasSubscribers) this.#channel.publish(event);
  }
}

/** The fields of every event. */
interface EventContext {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly requestId?: string | undefined;
  /** The client's address, in canonical form. */
  readonly address?: string | undefined;
  /** The verified agent's ID. */
  readonly agent?: string | undefined;
}

/**
 * The fields of each event, by its type.
 * @example
 * type Threshold = SecurityEventMap['limit.threshold'];
 */
export interface SecurityEventMap {
  /**
   * A request, a message or a handshake was rejected, or failed: every response with a status from 400, and every other that the module
   * has caused. Exactly one event each. `auth.rejected` and `tool.rejected` say more about the credential and the tool.
   */
  'request.rejected': {
    /** The status of the rejection. An exception filter of the app may have sent another one. */
    readonly status: number;
    /** The code of the problem, listed in docs/reference/errors.md; of the app's own responses, the name of the status. */
    readonly code: string;
    /** The reason, more precise than in the response. `undefined` for exceptions of the app. */
    readonly reason: string | undefined;
    /** What was rejected, as the request sent it: a host, an origin, the name of a parameter. Never a credential. */
    readonly received: string | undefined;
    /** What you can change, if the request is legitimate. */
    readonly remedy: string | undefined;
    /** Of a request over its limits, the names of those that denied it. */
    readonly policies?: readonly string[] | undefined;
    /** Of a message, the method of its handshake; `undefined` for bytes that are not HTTP. */
    readonly method?: string | undefined;
    /** The path as the request sent it, without its query. */
    readonly path?: string | undefined;
  };
  /** A client has used a share of a limit that `alertAt` names. At most once per window, client and share. */
  'limit.threshold': {
    /** The policy's name, as clients see it. */
    readonly policy: string;
    /** The partition: `address`, an agent's ID, or the result of the policy's `key`. */
    readonly key: string;
    /** The share of `alertAt` that was reached: of the limit, or of the capacity of a token bucket. */
    readonly share: number;
    readonly used: number;
    readonly limit: number;
    readonly windowMs: number;
  };
  /** A policy in shadow mode would have denied a request. At most once per window and client. */
  'limit.shadow': {
    readonly policy: string;
    readonly key: string;
    readonly limit: number;
    readonly windowMs: number;
  };
  /**
   * The tier of a request is not in `rateLimit.tiers`, so that the module's own limits apply. At most once per minute, client and tier.
   */
  'limit.unknown-tier': {
    readonly tier: string;
  };
  /** A credential was rejected. */
  'auth.rejected': {
    /** The reason, more precise than in the response. */
    readonly reason: 'malformed' | 'unknown' | 'revoked' | 'expired' | 'not-yet-valid' | 'invalid';
    /** The check that a token has failed: `aud`, `typ`, `exp` … `undefined` for other credentials. */
    readonly check: TokenCheck | undefined;
    /** The scheme of the credential; `undefined` for one of `identify` or of the token endpoint. */
    readonly scheme: 'api-key' | 'bearer' | 'dpop' | undefined;
    /** The public ID of an API key, as the request sent it. */
    readonly keyId: string | undefined;
  };
  /** An address has used up its failed attempts. Further invalid credentials get 429. */
  'auth.limited': {
    readonly limit: number;
    readonly windowMs: number;
  };
  /** A key in use was revoked, or its agent was disabled or removed. The key is rejected from now on. */
  'auth.key-revoked': {
    readonly keyId: string;
  };
  /** An open connection was closed, since the credential that opened it is no longer valid. */
  'auth.closed': {
    /** `unavailable`: the key store did not answer for ten seconds. */
    readonly reason: 'revoked' | 'expired' | 'unavailable';
    /** A WebSocket, or a response such as an event stream. */
    readonly connection: 'websocket' | 'response';
  };
  /** The shared store of limits fails, or works again. Once per change. */
  'limit.store': {
    readonly state: 'failing' | 'healed';
    readonly reason?: string | undefined;
  };
  /** A tool call was rejected. */
  'tool.rejected': {
    readonly tool: string;
    readonly reason: 'agent-required' | 'not-listed' | 'scope-missing' | 'over-limit' | 'store-failing';
    /** The code of the response's problem. */
    readonly code: string;
  };
  /** An agent has made as many calls of a tool as `alertAt` names. At most once per window, agent and threshold. */
  'tool.threshold': {
    readonly tool: string;
    /** The entry of `alertAt`: a share of the limit, or a number of calls. */
    readonly threshold: number;
    readonly used: number;
    readonly limit: number;
    readonly windowMs: number;
  };
  /** An agent calls a tool for the first time in this process. */
  'tool.first-use': {
    readonly tool: string;
    readonly impact: 'low' | 'medium' | 'high';
    /** The number of tools that the agent has called, including this one. */
    readonly tools: number;
  };
  /** An agent was denied many times within a minute. Emitted at the threshold, at twice the threshold, at four times the threshold … */
  'tool.denials': {
    /** The tool of the last denial. */
    readonly tool: string;
    readonly reason: SecurityEventMap['tool.rejected']['reason'];
    readonly count: number;
  };
  /** An audit sink fails, or works again. Once per change. */
  'audit.failing': {
    readonly sink: string;
    readonly state: 'failing' | 'healed';
    readonly reason?: string | undefined;
    /** The number of records of low impact that were dropped in between. */
    readonly dropped: number;
  };
  /** A browser has reported a violation of a Content-Security-Policy. At most one event per second. Any client can send such a report. */
  'csp.report': {
    readonly directive: string;
    /** The origin of the blocked resource, or a keyword such as `inline`. */
    readonly blocked: string;
    readonly page: string | undefined;
    readonly disposition: 'enforce' | 'report';
    /** How often this resource violated this directive; 0 where it has no counter of its own. */
    readonly count: number;
    /** How many violations since the previous event had no event of their own. */
    readonly omitted: number;
  };
}

/** The type of a security event. @example events.of('auth.rejected') */
export type SecurityEventType = keyof SecurityEventMap;

/**
 * A security event: its type, the common fields and those of its type.
 * @example
 * events.all.subscribe((event: SecurityEvent) => logger.warn(event));
 */
export type SecurityEvent<T extends SecurityEventType = SecurityEventType> = {
  [K in T]: EventContext & { readonly type: K } & SecurityEventMap[K];
}[T];
