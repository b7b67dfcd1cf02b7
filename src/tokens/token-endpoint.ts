/* The token endpoint: OAuth 2.0 client credentials (RFC 6749 section 4.4), answered before routing, so that no prefix, body parser or guard
 * of the app applies. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CredentialRequest,
  type RejectedCredential,
  type Verification,
  challenge,
} from '../identity/credential.js';
import type { Clock } from '../common/clock.js';
import { requestPath } from '../common/http-request.js';
import type { RequestState } from '../common/request-state.js';
import { hashKey } from '../common/hash-key.js';
import { quotaHeaders } from '../limiter/quota-headers.js';
import { ProcessLimit } from '../limiter/process-limit.js';
import { checkProof, type DpopRules } from './dpop.js';
import type { Jose } from './jose.js';
import { readBody } from '../common/read-body.js';
import { sendJson } from './send-json.js';
import type { ResolvedTokenEndpoint } from './token-endpoint.options.js';
import { KEY_ID_CLAIM, type TokenIssuer } from './token-issuer.js';
import {
  grantAudiences,
  grantScopes,
  INVALID_CLIENT,
  OTHER_BODY,
  readTokenRequest,
  type TokenError,
  type TokenRequest,
} from './token-request.js';

/** Verifies the API keys of clients. */
export interface ClientVerifier {
  verify(credential: string, request: CredentialRequest): Promise<Verification>;
}

export interface TokenEndpointParts {
  readonly options: ResolvedTokenEndpoint;
  readonly clients: ClientVerifier;
  /** Counts a failed attempt of the client's address. @returns the headers of a 429, if it has made too many */
  readonly countFailedAttempt: (
    state: RequestState,
    reason: RejectedCredential,
    secret: string | undefined,
  ) => readonly string[] | undefined;
  readonly issuer: TokenIssuer;
  readonly dpop: DpopRules | undefined;
  readonly jose: Jose;
  readonly clock: Clock;
  readonly realm: string;
  readonly maxClients: number;
  /** Whether responses have rate limit headers. */
  readonly sendsQuota: boolean;
  readonly logError: (message: string) => void;
}

const BODY_BOUNDS = { maxBytes: 8_192, timeoutMs: 10_000 };

const FORM_TYPE = /^application\/x-www-form-urlencoded[ \t]*(?:;|$)/i;

const TOO_MANY: TokenError = {
  status: 429,
  error: 'temporarily_unavailable',
  description: 'Too many requests. Try again later.',
};

const UNAVAILABLE: TokenError = {
  status: 503,
  error: 'temporarily_unavailable',
  description: 'Tokens cannot be issued at the moment. Try again later.',
};

const bad = (description: string, status = 400): TokenError => ({
  status,
  error: 'invalid_request',
  description,
});

export class TokenEndpoint {
  readonly #limit: ProcessLimit;
  readonly #url: string;

  constructor(private readonly parts: TokenEndpointParts) {
    const { options, maxClients, clock } = parts;
    this.#limit = new ProcessLimit(options.limit, maxClients, clock);
    this.#url = new URL(options.issuer).origin + options.path;
  }

  claims(raw: IncomingMessage): boolean {
    return requestPath(raw.url ?? '') === this.parts.options.path;
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    const answer = await this.#answer(raw, state);
    if (answer !== undefined) this.#send(raw, response, answer);
    return false;
  }

  async #answer(raw: IncomingMessage, state: RequestState): Promise<Answer | undefined> {
    if (raw.method !== 'POST') return rejection(bad('The method must be POST.', 405), ['Allow', 'POST']);
    // URLs are logged: parameters, secrets among them, must be in the body (RFC 6749 section 3.2).
    if ((raw.url ?? '').includes('?')) return rejection(bad('Parameters must be sent in the body.'));
    const { headers } = raw;
    if (!FORM_TYPE.test(headers['content-type'] ?? '') || headers['content-encoding'] !== undefined) {
      return rejection(OTHER_BODY);
    }
    state.requestBody();
    const reading = await readBody(raw, BODY_BOUNDS);
    switch (reading.kind) {
      case 'gone':
        return undefined;
      case 'too-large':
        return rejection(bad('The body is too large.', 413));
      case 'too-slow':
        return rejection(bad('The body did not arrive in time.', 408));
    }
    if (!isUtf8(reading.bytes)) return rejection(OTHER_BODY);
    const decision = readTokenRequest(reading.bytes.toString(), authorizationsOf(raw));
    if (decision.valid) {
      try {
        return await this.#grant(decision.request, raw, state);
      } catch (error) {
        this.parts.logError(`A token could not be issued: ${String(error)}`);
        return rejection(UNAVAILABLE, ['Retry-After', '1']);
      }
    }
    return decision.error === INVALID_CLIENT
      ? this.#rejectClient(state, 'malformed', undefined)
      : rejection(decision.error);
  }

  async #grant(request: TokenRequest, raw: IncomingMessage, state: RequestState): Promise<Answer> {
    const { clients, options, issuer } = this.parts;
    const { client } = request;
    const verification = await clients.verify(client.secret, {
      method: 'POST',
      url: this.#url,
      headers: raw.headers,
    });
    if (!verification.verified) return this.#rejectClient(state, verification.reason, client.secret);
    const { agent, expiresMs } = verification;
    // The client ID must belong to the secret: the agent's ID, or the key's.
    if (client.id !== agent.id && client.id !== agent.claims[KEY_ID_CLAIM]) {
      return this.#rejectClient(state, 'unknown', client.secret);
    }
    state.agent = agent;
    const limited = this.#consumeLimit(agent.id, state);
    if (limited !== undefined) return limited;
    const scopes = grantScopes(request.scopes, agent.scopes);
    if ('error' in scopes) return rejection(scopes);
    const audiences = grantAudiences(request.resources, options.resources);
    if ('error' in audiences) return rejection(audiences);
    const boundTo = await this.#readProof(raw, agent.id);
    if (typeof boundTo === 'object') return rejection(boundTo);
    const clientId = agent.id;
    const issued = await issuer.issue({ agent, clientId, scopes, audiences, notAfterMs: expiresMs, boundTo });
    return {
      status: 200,
      headers: [],
      body: {
        access_token: issued.token,
        token_type: boundTo === undefined ? 'Bearer' : 'DPoP',
        expires_in: issued.expiresInSeconds,
        ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
      },
    };
  }

  #rejectClient(state: RequestState, reason: RejectedCredential, secret: string | undefined): Answer {
    const limited = this.parts.countFailedAttempt(state, reason, secret);
    if (limited !== undefined) return rejection(TOO_MANY, limited);
    // Also for clients that have not used the header: a 401 needs a challenge (RFC 9110 section 15.5.2).
    return rejection(INVALID_CLIENT, [
      'WWW-Authenticate',
      challenge('Basic', [
        ['realm', this.parts.realm],
        ['charset', 'UTF-8'],
      ]),
    ]);
  }

  #consumeLimit(agentId: string, state: RequestState): Answer | undefined {
    const { clock, sendsQuota } = this.parts;
    const decision = this.#limit.consume(hashKey(agentId));
    if (decision.granted && !sendsQuota) return undefined;
    state.limits.quota = quotaHeaders(decision, clock.epochMs(), sendsQuota);
    return decision.granted ? undefined : rejection(TOO_MANY);
  }

  /** The thumbprint that the token is bound to, if the client has sent a DPoP proof (RFC 9449 section 5). */
  async #readProof(raw: IncomingMessage, holder: string): Promise<string | undefined | TokenError> {
    const { dpop, jose, clock } = this.parts;
    const proof = raw.headers['dpop'];
    if (dpop === undefined || (proof === undefined && !dpop.required)) return undefined;
    const thumbprint =
      typeof proof === 'string'
        ? await checkProof(
            jose,
            { method: 'POST', url: this.#url, proof, accessToken: undefined, boundTo: undefined, holder },
            dpop,
            clock.epochMs(),
          )
        : undefined;
    return (
      thumbprint ?? {
        status: 400,
        error: 'invalid_dpop_proof',
        description: 'The DPoP proof is missing, invalid or already used.',
      }
    );
  }

  #send(raw: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
    // RFC 6749 section 5.1.
    const fields = { 'Cache-Control': 'no-store', Pragma: 'no-cache', ...pairs(headers) };
    sendJson(raw, response, status, fields, body);
  }
}

interface Answer {
  readonly status: number;
  /** Name and value in turn. */
  readonly headers: readonly string[];
  readonly body: Readonly<Record<string, unknown>>;
}

function rejection({ status, error, description }: TokenError, headers: readonly string[] = []): Answer {
  return { status, headers, body: { error, error_description: description } };
}

function pairs(headers: readonly string[]): Record<string, string> {
  const object: Record<string, string> = {};
  for (let index = 0; index < headers.length; index += 2) object[headers[index]!] = headers[index + 1]!;
  return object;
}

/** All header lines: Node silently keeps only the first of several. */
function authorizationsOf({ rawHeaders }: IncomingMessage): readonly string[] {
  return rawHeaders.filter(
    (_value, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === 'authorization',
  );
}
