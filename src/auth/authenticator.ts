/* Finds out who sends a request. It knows no framework: guards, stages before routing and WebSocket handshakes ask it. */
import type { Log } from '../common/log.js';
import type { IncomingMessage } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { PlatformRequest } from '../common/http-request.js';
import type { RequestState } from '../common/request-state.js';
import type { SecurityEvents } from '../events/security-events.js';
import { ABNORMAL_USAGE, quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { ProcessLimit } from '../limiter/process-limit.js';
import type { ApiKeyVerifier } from './api-key-verifier.js';
import type { IdentifiedAgent, ResolvedAuth } from './auth.options.js';
import type {
  CredentialVerifier,
  RejectedCredential,
  Verification,
  VerifiedCredential,
} from '../identity/credential.js';
import { checkIdentified } from './check-identified.js';
import type { OpenConnections } from './open-connections.js';
import { type CredentialScheme, readCredential } from './read-credential.js';
import { RequestView } from './request-view.js';
import { CREDENTIAL_AMBIGUOUS, AuthRejections, IDENTITY_UNAVAILABLE } from './auth-rejections.js';
import { logLine } from '../common/log-text.js';
import type { Rejection } from '../common/rejection.js';

export type Authentication =
  | {
      readonly kind: 'agent';
      readonly agent: Agent;
      readonly expiresMs: number | undefined;
      /** For looking at the credential again; `undefined` for an agent of the app's own `identify`. */
      readonly verification: VerifiedCredential | undefined;
    }
  /** No credential. Whether that is enough is up to the route; `refusal` is the answer if it is not. */
  | { readonly kind: 'anonymous'; readonly rejection: Rejection }
  | { readonly kind: 'rejected'; readonly rejection: Rejection };

/** A verifier of tokens, which are asked about after API keys. */
export interface TokenVerifier extends CredentialVerifier {
  /** Challenges beside Bearer's, such as `DPoP algs="ES256"`. */
  readonly challenges?: readonly string[];
  /** Whether it takes the DPoP scheme (RFC 9449) and looks at the proof itself. */
  readonly acceptsDpop?: boolean;
}

/** `undefined` where no tokens are configured. */
export const TOKEN_VERIFIER = Symbol('agent-security:token-verifier');

export interface AuthenticateOptions {
  /** Whether the request opens a WebSocket: a subprotocol may carry the credential then. */
  readonly handshake?: boolean;
  /** What `identify` is handed. @default the raw request, and no context */
  readonly request?: PlatformRequest;
  readonly context?: ExecutionContext | undefined;
}

export interface AuthenticatorParts {
  readonly options: ResolvedAuth;
  readonly apiKeys: ApiKeyVerifier | undefined;
  readonly tokens: TokenVerifier | undefined;
  readonly clock: Clock;
  readonly events: SecurityEvents;
  readonly connections: OpenConnections;
  /** How many addresses' failed attempts are held. */
  readonly maxClients: number;
  /** Whether X-RateLimit-* and RateLimit are sent. */
  readonly headers: boolean;
  readonly log: Pick<Log, 'error' | 'warn'>;
}

const LOG_INTERVAL_MS = 1_000;

/** `identify` threw an UnauthorizedException: there was a credential, and it is bad. */
const REJECTED = Symbol('agent-security:refused');

export class Authenticator {
  readonly rejections: AuthRejections;
  readonly #failures: ProcessLimit | undefined;
  /** What came of a request, so that whoever asks again hears the same and nothing is counted twice. */
  readonly #settled = new WeakMap<RequestState, Promise<Authentication>>();
  #loggedMs = -Infinity;

  constructor(private readonly parts: AuthenticatorParts) {
    const { options, tokens, maxClients } = parts;
    this.rejections = new AuthRejections({ ...options, others: tokens?.challenges ?? [] });
    this.#failures =
      options.failedAttempts && new ProcessLimit(options.failedAttempts, maxClients, parts.clock);
  }

  /**
   * Says whose request it is, and leaves the agent in `state.agent`. A request may be asked about several times. Never rejects.
   * @param state of the same request, with the client's address in it
   */
  authenticate(
    raw: IncomingMessage,
    state: RequestState,
    options: AuthenticateOptions = {},
  ): Promise<Authentication> {
    const settled = this.#settled.get(state);
    if (settled !== undefined) return settled;
    const deciding = this.#decide(raw, state, options).catch((error: unknown): Authentication => {
      this.#logFailure(error);
      return { kind: 'rejected', rejection: IDENTITY_UNAVAILABLE };
    });
    this.#settled.set(state, deciding);
    // A stage of the edge asks before the app's own middleware has run: `identify` may know more later.
    if (this.parts.options.identify !== undefined && options.context === undefined)
      return this.#forgetAnonymous(state, deciding);
    return deciding;
  }

  /**
   * Looks again at the credential that opened a connection, for each message on it: `state.agent` is then the agent as it is now. Never
   * rejects.
   * @param state of the handshake
   * @returns the refusal, if the identity does not count any more
   */
  async recheck(state: RequestState): Promise<Rejection | undefined> {
    const found = await this.#settled.get(state);
    if (found?.kind !== 'agent' || found.verification === undefined) return undefined;
    try {
      const current = await found.verification.recheck();
      if (!current.verified)
        return current.reason === 'expired' ? this.rejections.expired : this.rejections.invalid;
      state.agent = current.agent;
      return undefined;
    } catch (error) {
      this.#logFailure(error);
      return IDENTITY_UNAVAILABLE;
    }
  }

  async #forgetAnonymous(state: RequestState, deciding: Promise<Authentication>): Promise<Authentication> {
    const found = await deciding;
    if (found.kind === 'anonymous') this.#settled.delete(state);
    return found;
  }

  async #decide(
    raw: IncomingMessage,
    state: RequestState,
    { handshake = false, request = raw, context }: AuthenticateOptions,
  ): Promise<Authentication> {
    const reading = readCredential(raw, handshake);
    if (reading.kind === 'ambiguous') return { kind: 'rejected', rejection: CREDENTIAL_AMBIGUOUS };
    if (reading.kind === 'malformed') return this.#reject(state, 'malformed', undefined, undefined);
    if (reading.kind === 'credential') {
      const { scheme, credential } = reading;
      const verifier = this.#verifierOf(scheme, credential);
      if (verifier !== undefined) {
        const verification = await verifier.verify(credential, new RequestView(raw, state));
        return this.#settle(raw, state, verification, scheme, credential);
      }
    }
    const found = await this.#identify(request, context);
    if (found === REJECTED) return this.#reject(state, 'invalid', undefined, undefined);
    if (found !== undefined && found !== null) {
      const agent = checkIdentified(found);
      state.agent = agent;
      return { kind: 'agent', agent, expiresMs: undefined, verification: undefined };
    }
    return reading.kind === 'none'
      ? { kind: 'anonymous', rejection: this.rejections.missing }
      : this.#reject(state, 'malformed', reading.scheme, undefined);
  }

  async #identify(
    request: PlatformRequest,
    context: ExecutionContext | undefined,
  ): Promise<IdentifiedAgent | undefined | typeof REJECTED> {
    try {
      return await this.parts.options.identify?.(request, context);
    } catch (error) {
      if ((error as { getStatus?(): number } | undefined)?.getStatus?.() === 401) return REJECTED;
      throw error;
    }
  }

  #verifierOf(scheme: CredentialScheme, credential: string): CredentialVerifier | undefined {
    const { apiKeys, tokens } = this.parts;
    if (scheme === 'dpop') return tokens?.acceptsDpop === true ? tokens : undefined;
    if (apiKeys?.recognizes(credential)) return apiKeys;
    return scheme === 'bearer' ? tokens : undefined;
  }

  #settle(
    raw: IncomingMessage,
    state: RequestState,
    verification: Verification,
    scheme: CredentialScheme,
    credential: string,
  ): Authentication {
    if (!verification.verified) return this.#reject(state, verification.reason, scheme, credential);
    const { agent, expiresMs } = verification;
    state.agent = agent;
    this.parts.connections.follow(raw, state, verification);
    return { kind: 'agent', agent, expiresMs, verification };
  }

  /** Counts a failed attempt of an address. A credential that is valid never comes here, however many others have failed. */
  #reject(
    state: RequestState,
    reason: RejectedCredential,
    scheme: CredentialScheme | undefined,
    credential: string | undefined,
  ): Authentication {
    const limited = this.countRejected(state, reason, scheme, credential);
    if (limited !== undefined) return { kind: 'rejected', rejection: limited };
    return {
      kind: 'rejected',
      rejection: reason === 'expired' ? this.rejections.expired : this.rejections.invalid,
    };
  }

  /**
   * Reports and counts a bad credential, also one that was shown to somebody else (the token endpoint).
   * @returns the answer, if the address has sent too many
   */
  countRejected(
    state: RequestState,
    reason: RejectedCredential,
    scheme: CredentialScheme | undefined,
    credential: string | undefined,
  ): Rejection | undefined {
    const { clock, events, apiKeys } = this.parts;
    const context = {
      timeMs: clock.epochMs(),
      requestId: state.id || undefined,
      address: state.client.address,
    };
    if (events.isObserved) {
      const keyId = credential === undefined ? undefined : apiKeys?.keyIdOf(credential);
      events.emit({ type: 'auth.rejected', ...context, reason, scheme, keyId });
    }
    return this.#countFailure(state);
  }

  #countFailure(state: RequestState): Rejection | undefined {
    if (this.#failures === undefined) return undefined;
    const { clock, events, log, options } = this.parts;
    const decision = this.#failures.consume(state.client.key);
    if (decision.granted) {
      // The last attempt that is free: once a window, however many follow.
      if (decision.policyStates[0]!.remaining === 0) {
        const { limit, windowMs } = options.failedAttempts!;
        const { address } = state.client;
        events.emit({
          type: 'auth.limited',
          timeMs: clock.epochMs(),
          requestId: state.id || undefined,
          address,
          limit,
          windowMs,
        });
        if (this.#mayLog())
          log.warn(logLine`${address} has sent ${limit} bad credentials: further ones are answered 429.`);
      }
      return undefined;
    }
    return {
      problem: { ...quotaProblem(decision), type: ABNORMAL_USAGE },
      headers: quotaHeaders(decision, clock.epochMs(), this.parts.headers),
    };
  }

  #logFailure(error: unknown): void {
    if (this.#mayLog())
      this.parts.log.error(
        logLine`A credential could not be verified: ${error instanceof Error ? error.message : 'the store rejected'}`,
      );
  }

  #mayLog(): boolean {
    const nowMs = this.parts.clock.monotonicMs();
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return false;
    this.#loggedMs = nowMs;
    return true;
  }
}
