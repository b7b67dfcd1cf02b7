/* Authenticates requests. It knows no framework: guards, stages before routing and WebSocket handshakes call it. */
import type { IncomingMessage } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { PlatformRequest } from '../common/http-request.js';
import { type Log, logLine } from '../common/log-text.js';
import type { Rejection } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { CredentialVerifier, RejectedCredential, VerifiedCredential } from '../identity/credential.js';
import { ProcessLimit } from '../limiter/process-limit.js';
import { ABNORMAL_USAGE, quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import type { ApiKeyVerifier } from './api-key-verifier.js';
import { checkIdentified, type IdentifiedAgent, type ResolvedAuth } from './auth.options.js';
import { AuthRejections, CREDENTIAL_AMBIGUOUS, IDENTITY_UNAVAILABLE } from './auth-rejections.js';
import type { OpenConnections } from './open-connections.js';
import { type CredentialScheme, readCredential, RequestView } from './read-credential.js';

/**
 * The result of `Authenticator.authenticate()`: an agent, no credential, or a rejected credential.
 * `expiresMs` is in milliseconds since the epoch.
 * @example
 * const authentication: Authentication = await authenticator.authenticate(raw, state);
 * if (authentication.kind !== 'agent') return authentication.rejection.problem;
 * return authentication.agent.id;
 */
export type Authentication =
  | {
      readonly kind: 'agent';
      readonly agent: Agent;
      readonly expiresMs: number | undefined;
      /** Verifies the credential again later; `undefined` for an agent that `auth.identify` returned. */
      readonly verification: VerifiedCredential | undefined;
    }
  /** No credential. A public route accepts that; `rejection` is the response of every other. */
  | { readonly kind: 'anonymous'; readonly rejection: Rejection }
  | { readonly kind: 'rejected'; readonly rejection: Rejection };

/** A verifier of tokens. API keys are recognized first. */
export interface TokenVerifier extends CredentialVerifier {
  /** Challenges beside Bearer's, such as `DPoP algs="ES256"`. */
  readonly challenges?: readonly string[];
  /** Whether it accepts the DPoP scheme (RFC 9449) and verifies the proof itself. */
  readonly acceptsDpop?: boolean;
}

/** `undefined` where no tokens are configured. */
export const TOKEN_VERIFIER = Symbol('agent-security:token-verifier');

/**
 * What `Authenticator.authenticate()` may know of a request beside its headers.
 * @example
 * const options: AuthenticateOptions = { handshake: true };
 */
export interface AuthenticateOptions {
  /** Whether the request opens a WebSocket: a subprotocol may carry the credential then. */
  readonly handshake?: boolean;
  /** The first argument of `identify`. @default the raw request */
  readonly request?: PlatformRequest;
  /** The second argument of `identify`. @default none */
  readonly context?: ExecutionContext | undefined;
}

interface AuthenticatorParts {
  readonly options: ResolvedAuth;
  readonly apiKeys: ApiKeyVerifier | undefined;
  readonly tokens: TokenVerifier | undefined;
  readonly clock: Clock;
  readonly events: SecurityEvents;
  readonly connections: OpenConnections;
  /** How many addresses have a count of failed attempts. */
  readonly maxClients: number;
  /** Whether X-RateLimit-* and RateLimit are sent. */
  readonly headers: boolean;
  readonly log: Pick<Log, 'error' | 'warn'>;
}

const LOG_INTERVAL_MS = 1_000;

/** `identify` threw an UnauthorizedException: the request has a credential, and it is not valid. */
const REJECTED = Symbol('agent-security:rejected');

/**
 * Authenticates requests by the options of `auth`. Inject it to verify the credential of work that outlives its request.
 * @example
 * const result = await authenticator.authenticate(raw, state);
 * const isStillValid = result.kind === 'agent' && (await result.verification?.recheck())?.verified !== false;
 */
export class Authenticator {
  /** The responses to requests without a valid credential, or without the scopes of a route. */
  readonly rejections: AuthRejections;
  readonly #parts: AuthenticatorParts;
  readonly #failedAttempts: ProcessLimit | undefined;
  /** By request, so that each is verified, and counted as a failed attempt, once. */
  readonly #authentications = new WeakMap<RequestState, Promise<Authentication>>();
  #loggedMs = -Infinity;

  constructor(parts: AuthenticatorParts) {
    const { options, tokens, maxClients, clock } = parts;
    this.#parts = parts;
    this.rejections = new AuthRejections({ ...options, others: tokens?.challenges ?? [] });
    this.#failedAttempts =
      options.failedAttempts && new ProcessLimit(options.failedAttempts, maxClients, clock);
  }

  /**
   * Verifies the credential of a request and stores the agent in `state.agent`. Further calls for the same request return the same result.
   * It never rejects: if the store cannot be reached, the result is a 503.
   * @param state the state of this request, with the client's address
   */
  authenticate(
    raw: IncomingMessage,
    state: RequestState,
    options: AuthenticateOptions = {},
  ): Promise<Authentication> {
    const known = this.#authentications.get(state);
    if (known !== undefined) return known;
    const authentication = this.#authenticate(raw, state, options).catch((error: unknown): Authentication => {
      this.#logError(error);
      return { kind: 'rejected', rejection: IDENTITY_UNAVAILABLE };
    });
    this.#authentications.set(state, authentication);
    // Before routing, the app's middleware has not run: `identify` may find an agent when the guard calls it again.
    if (this.#parts.options.identify !== undefined && options.context === undefined)
      return this.#forgetAnonymous(state, authentication);
    return authentication;
  }

  /**
   * Verifies the credential of an open connection again, for each message on it, and updates `state.agent`. It never rejects.
   * @param state the state of the handshake
   * @returns the rejection, if the credential is no longer valid
   */
  async recheck(state: RequestState): Promise<Rejection | undefined> {
    const found = await this.#authentications.get(state);
    if (found?.kind !== 'agent' || found.verification === undefined) return undefined;
    try {
      const current = await found.verification.recheck();
      if (!current.verified) return this.#rejectionOf(current.reason);
      state.agent = current.agent;
      return undefined;
    } catch (error) {
      this.#logError(error);
      return IDENTITY_UNAVAILABLE;
    }
  }

  /**
   * Emits `auth.rejected` and counts a failed attempt of the client's address, also for credentials that something else has verified, such
   * as the token endpoint.
   * @returns the 429, if the address has made too many
   */
  countFailedAttempt(
    state: RequestState,
    reason: RejectedCredential,
    scheme: CredentialScheme | undefined,
    credential: string | undefined,
  ): Rejection | undefined {
    const { events, apiKeys } = this.#parts;
    if (events.isObserved) {
      const keyId = credential === undefined ? undefined : apiKeys?.keyIdOf(credential);
      events.emit({ type: 'auth.rejected', ...this.#eventFields(state), reason, scheme, keyId });
    }
    return this.#consumeAttempt(state);
  }

  async #forgetAnonymous(
    state: RequestState,
    authentication: Promise<Authentication>,
  ): Promise<Authentication> {
    const found = await authentication;
    if (found.kind === 'anonymous') this.#authentications.delete(state);
    return found;
  }

  async #authenticate(
    raw: IncomingMessage,
    state: RequestState,
    { handshake = false, request = raw, context }: AuthenticateOptions,
  ): Promise<Authentication> {
    const reading = readCredential(raw, handshake);
    if (reading.kind === 'ambiguous') return { kind: 'rejected', rejection: CREDENTIAL_AMBIGUOUS };
    if (reading.kind === 'malformed') return this.#reject(state, 'malformed');
    if (reading.kind === 'credential') {
      const { scheme, credential } = reading;
      const verifier = this.#verifierOf(scheme, credential);
      if (verifier !== undefined) {
        const verification = await verifier.verify(credential, new RequestView(raw, state));
        return verification.verified
          ? this.#accept(raw, state, verification)
          : this.#reject(state, verification.reason, scheme, credential);
      }
    }
    const identified = await this.#identify(request, context);
    if (identified === REJECTED) return this.#reject(state, 'invalid');
    if (identified !== undefined && identified !== null) {
      const agent = checkIdentified(identified);
      state.agent = agent;
      return { kind: 'agent', agent, expiresMs: undefined, verification: undefined };
    }
    return reading.kind === 'none'
      ? { kind: 'anonymous', rejection: this.rejections.missing }
      : this.#reject(state, 'malformed', reading.scheme);
  }

  async #identify(
    request: PlatformRequest,
    context: ExecutionContext | undefined,
  ): Promise<IdentifiedAgent | undefined | typeof REJECTED> {
    try {
      return await this.#parts.options.identify?.(request, context);
    } catch (error) {
      if ((error as { getStatus?(): number } | undefined)?.getStatus?.() === 401) return REJECTED;
      throw error;
    }
  }

  #verifierOf(scheme: CredentialScheme, credential: string): CredentialVerifier | undefined {
    const { apiKeys, tokens } = this.#parts;
    if (scheme === 'dpop') return tokens?.acceptsDpop === true ? tokens : undefined;
    if (apiKeys?.recognizes(credential)) return apiKeys;
    return scheme === 'bearer' ? tokens : undefined;
  }

  #accept(raw: IncomingMessage, state: RequestState, verification: VerifiedCredential): Authentication {
    const { agent, expiresMs } = verification;
    state.agent = agent;
    this.#parts.connections.track(raw, state, verification);
    return { kind: 'agent', agent, expiresMs, verification };
  }

  #reject(
    state: RequestState,
    reason: RejectedCredential,
    scheme?: CredentialScheme,
    credential?: string,
  ): Authentication {
    const limited = this.countFailedAttempt(state, reason, scheme, credential);
    return { kind: 'rejected', rejection: limited ?? this.#rejectionOf(reason) };
  }

  #rejectionOf(reason: RejectedCredential): Rejection {
    return reason === 'expired' ? this.rejections.expired : this.rejections.invalid;
  }

  #consumeAttempt(state: RequestState): Rejection | undefined {
    if (this.#failedAttempts === undefined) return undefined;
    const { clock, headers } = this.#parts;
    const decision = this.#failedAttempts.consume(state.client.key);
    if (decision.granted) {
      // The last attempt of the window: reported once, however many follow.
      if (decision.policyStates[0]!.remaining === 0) this.#reportLimited(state);
      return undefined;
    }
    return {
      problem: { ...quotaProblem(decision), type: ABNORMAL_USAGE },
      headers: quotaHeaders(decision, clock.epochMs(), headers),
    };
  }

  #reportLimited(state: RequestState): void {
    const { events, log, options } = this.#parts;
    const { limit, windowMs } = options.failedAttempts!;
    const { address } = state.client;
    events.emit({ type: 'auth.limited', ...this.#eventFields(state), limit, windowMs });
    if (this.#mayLog())
      log.warn(logLine`${address} has sent ${limit} invalid credentials: further ones get 429.`);
  }

  #eventFields(state: RequestState): {
    readonly timeMs: number;
    readonly requestId: string | undefined;
    readonly address: string;
  } {
    return {
      timeMs: this.#parts.clock.epochMs(),
      requestId: state.id || undefined,
      address: state.client.address,
    };
  }

  #logError(error: unknown): void {
    if (!this.#mayLog()) return;
    const message = error instanceof Error ? error.message : 'the store rejected';
    this.#parts.log.error(logLine`A credential could not be verified: ${message}`);
  }

  #mayLog(): boolean {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return false;
    this.#loggedMs = nowMs;
    return true;
  }
}
