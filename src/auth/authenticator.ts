/* Authenticates requests. It knows no framework: guards, stages before routing and WebSocket handshakes call it. */
import type { IncomingMessage } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { RouteResponse } from '../common/describe-route.js';
import type { PlatformRequest } from '../common/http-request.js';
import { type Log, logLine } from '../common/log-text.js';
import { type Rejection, withCause } from '../common/rejection.js';
import type { RequestState } from '../common/request-state.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { VerifiedCredential } from '../identity/credential.js';
import { describeQuota } from '../limiter/describe-limits.js';
import { ABNORMAL_USAGE, quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { LIMITS_UNAVAILABLE } from '../limiter/quota-engine.js';
import type { SharedLimit } from '../limiter/shared-limit.js';
import type { SignedTokenVerifier } from '../tokens/token-verifier.js';
import type { ApiKeyVerifier } from './api-key-verifier.js';
import { type AuthRejections, createAuthRejections } from './auth-rejections.js';
import { checkIdentified, type IdentifiedAgent, type ResolvedAuth } from './auth.options.js';
import type { OpenConnections } from './open-connections.js';
import {
  type CredentialScheme,
  type OfferedCredential,
  readCredentials,
  RequestView,
} from './read-credential.js';
import type { RejectedCredential, TokenCheck } from '../identity/rejected-credential.js';
import { CREDENTIAL_AMBIGUOUS, IDENTITY_UNAVAILABLE } from './credential-rejections.js';

type Authentication =
  | {
      readonly kind: 'agent';
      /** Verifies the credential again later; `undefined` for an agent that `auth.identify` returned. */
      readonly verification: VerifiedCredential | undefined;
    }
  /**
   * No credential of this API. A public route accepts that; every other answers what `reject` returns. It counts a failed attempt if there
   * is a credential of a configured kind that is not recognized as one of this API, such as a token of an issuer that is not trusted.
   */
  | { readonly kind: 'anonymous'; reject(): Rejection | Promise<Rejection> }
  | { readonly kind: 'rejected'; reject(): Rejection | Promise<Rejection> };

/** What is known of a request beside its headers. */
interface AuthenticateOptions {
  /** Whether the request opens a WebSocket: a subprotocol may carry the credential then. */
  readonly handshake?: boolean;
  /** The first argument of `identify`. @default the raw request */
  readonly request?: PlatformRequest;
  /** The second argument of `identify`; `undefined` before routing. */
  readonly context?: ExecutionContext;
}

interface FailedAttempt {
  readonly reason: RejectedCredential;
  readonly check?: TokenCheck | undefined;
  readonly scheme?: CredentialScheme;
  readonly credential?: string | undefined;
}

interface AuthenticatorParts {
  readonly options: ResolvedAuth;
  readonly apiKeys: ApiKeyVerifier | undefined;
  readonly tokens: SignedTokenVerifier | undefined;
  readonly clock: Clock;
  readonly events: SecurityEvents;
  readonly connections: OpenConnections;
  /** `auth.failedAttempts`. */
  readonly failedAttempts: SharedLimit | undefined;
  /** Whether X-RateLimit-* and RateLimit are sent. */
  readonly headers: boolean;
  readonly log: Pick<Log, 'error'>;
}

const LOG_INTERVAL_MS = 1_000;

/** `identify` threw an UnauthorizedException: the request has a credential, and it is not valid. */
const REJECTED = Symbol('agent-security:rejected');

export class Authenticator {
  readonly rejections: AuthRejections;
  readonly #parts: AuthenticatorParts;
  /** By request, so that each is verified, and counted as a failed attempt, once. */
  readonly #authentications = new WeakMap<RequestState, Promise<Authentication>>();
  #loggedMs = -Infinity;

  constructor(parts: AuthenticatorParts) {
    const { options, apiKeys, tokens } = parts;
    const { realm, resourceMetadata } = options;
    this.#parts = parts;
    this.rejections = createAuthRejections(realm, resourceMetadata, tokens?.challenges ?? [], {
      apiKeys: apiKeys !== undefined,
      tokens: tokens !== undefined,
    });
  }

  /**
   * Verifies the credential of a request and stores the agent in `state.agent`. Further calls for the same request return the same result.
   * It never rejects: if the store cannot be reached, the result is a 503.
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
      return rejected(IDENTITY_UNAVAILABLE);
    });
    this.#authentications.set(state, authentication);
    if (this.#parts.options.identify === undefined || options.context !== undefined) return authentication;
    // Before routing, the app's middleware has not run: `identify` may find an agent when the guard calls it again.
    return authentication.then(found => {
      if (found.kind === 'anonymous') this.#authentications.delete(state);
      return found;
    });
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
      if (!current.verified) return because(current, this.#rejectionOf(current.reason));
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
   * @returns the 429, if the address has made too many, or the 503, if that cannot be known
   */
  async countFailedAttempt(
    state: RequestState,
    { reason, check, scheme, credential }: FailedAttempt,
  ): Promise<Rejection | undefined> {
    const { events, apiKeys, clock, failedAttempts, headers } = this.#parts;
    if (events.isObserved) {
      const keyId = credential === undefined ? undefined : apiKeys?.keyIdOf(credential);
      events.emit({ type: 'auth.rejected', ...this.#eventFields(state), reason, check, scheme, keyId });
    }
    const decision = await failedAttempts?.consumeOf(state.client);
    if (decision === undefined) return undefined;
    if (decision === 'unavailable') return LIMITS_UNAVAILABLE;
    if (decision.granted) {
      // The last attempt of the window: reported once, however many follow, and by one process.
      if (decision.policyStates[0]!.remaining === 0) this.#reportLimited(state);
      return undefined;
    }
    return {
      problem: { ...quotaProblem(decision), type: ABNORMAL_USAGE },
      headers: quotaHeaders(decision, clock.epochMs(), headers),
    };
  }

  /** The response to an address with too many failed attempts, for OpenAPI documents. */
  describeAttempts(): readonly RouteResponse[] {
    const { options, headers } = this.#parts;
    if (options.failedAttempts === undefined) return [];
    const text = options.failedAttempts.text.replace('requests', 'invalid credentials');
    return [describeQuota(`Too many failed attempts of the address: ${text}`, headers)];
  }

  async #authenticate(
    raw: IncomingMessage,
    state: RequestState,
    { handshake = false, request = raw, context }: AuthenticateOptions,
  ): Promise<Authentication> {
    const offers = readCredentials(raw, handshake);
    if (offers === 'ambiguous') return rejected(CREDENTIAL_AMBIGUOUS);
    const own = this.#findOwn(offers);
    if (own === 'ambiguous') return rejected(CREDENTIAL_AMBIGUOUS);
    let reject = (): Rejection | Promise<Rejection> => this.rejections.missing;
    if (own !== undefined) {
      const { scheme, credential, verifier } = own;
      const verification = await verifier.verify(credential, new RequestView(raw, state));
      if (verification.verified) {
        this.#parts.connections.track(raw, state, verification);
        return accept(state, verification.agent, verification);
      }
      const { reason, check } = verification;
      let answer: Promise<Rejection> | undefined;
      // Counted once, however many guards of the request ask.
      reject = () => (answer ??= this.#reject(state, { reason, check, scheme, credential }));
      if (isOwn(own)) return rejected(await reject());
    }
    const identified = await this.#identify(request, context);
    if (identified === REJECTED) return rejected(await this.#reject(state, { reason: 'invalid' }));
    if (identified !== undefined && identified !== null) return accept(state, checkIdentified(identified));
    return { kind: 'anonymous', reject };
  }

  /** The credential of a configured kind. Those of other kinds belong to proxies and to other layers of the app, and are ignored. */
  #findOwn(offers: readonly OfferedCredential[]): OwnCredential | undefined | 'ambiguous' {
    let own: OwnCredential | undefined;
    for (const offer of offers) {
      const verifier = this.#verifierOf(offer);
      if (verifier === undefined) continue;
      const found = { ...offer, verifier };
      if (own === undefined || !isOwn(own)) own = found;
      else if (isOwn(found)) return 'ambiguous';
    }
    return own;
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

  #verifierOf({ scheme, credential }: OfferedCredential): ApiKeyVerifier | SignedTokenVerifier | undefined {
    const { apiKeys, tokens } = this.#parts;
    if (scheme === 'api-key') return apiKeys;
    return scheme === 'bearer' && apiKeys?.recognizes(credential) ? apiKeys : tokens;
  }

  async #reject(state: RequestState, attempt: FailedAttempt): Promise<Rejection> {
    const limited = await this.countFailedAttempt(state, attempt);
    return because(attempt, limited ?? this.#rejectionOf(attempt.reason));
  }

  #rejectionOf(reason: RejectedCredential): Rejection {
    return reason === 'expired' ? this.rejections.expired : this.rejections.invalid;
  }

  #reportLimited(state: RequestState): void {
    const { events, options } = this.#parts;
    const { limit, windowMs } = options.failedAttempts!;
    events.emit({ type: 'auth.limited', ...this.#eventFields(state), limit, windowMs });
  }

  #eventFields({ id, client: { address } }: RequestState) {
    return { timeMs: this.#parts.clock.epochMs(), requestId: id || undefined, address };
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

interface OwnCredential extends OfferedCredential {
  readonly verifier: ApiKeyVerifier | SignedTokenVerifier;
}

/** Whether a credential is one of this API for certain: a key with its prefix, or a token of a trusted issuer. */
const isOwn = ({ verifier, credential }: OwnCredential): boolean => verifier.recognizes(credential);

const rejected = (rejection: Rejection): Authentication => ({ kind: 'rejected', reject: () => rejection });

const because = ({ reason, check }: FailedAttempt, { problem, headers }: Rejection): Rejection => ({
  problem: withCause(problem, { reason: check ?? reason }),
  headers,
});

function accept(state: RequestState, agent: Agent, verification?: VerifiedCredential): Authentication {
  state.agent = agent;
  return { kind: 'agent', verification };
}
