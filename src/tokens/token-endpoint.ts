/* The token endpoint: OAuth 2.0 client credentials (RFC 6749 section 4.4), answered before routing, so that no prefix, body parser or guard
 * of the app applies. Beside it, an authorization endpoint that supports no response type. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../common/clock.js';
import { requestPath } from '../common/http-request.js';
import { readBody } from '../common/read-body.js';
import type { RequestState } from '../common/request-state.js';
import type { Rejection } from '../common/rejection.js';
import type { CredentialVerifier } from '../identity/credential.js';
import { quotaHeaders } from '../limiter/quota-headers.js';
import type { SharedLimit } from '../limiter/shared-limit.js';
import { checkProof, type DpopRules } from './dpop.js';
import type { Jose } from './read-jws.js';
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
  tokenError,
  type TokenRequest,
} from './token-request.js';
import { challenge } from '../identity/challenge.js';
import type { RejectedCredential } from '../identity/rejected-credential.js';

interface TokenEndpointParts {
  readonly options: ResolvedTokenEndpoint;
  /** Verifies the API keys of clients. */
  readonly clients: CredentialVerifier;
  /** Counts a failed attempt of the client's address. @returns the 429, if it has made too many, or the 503, if that cannot be known */
  countFailedAttempt(
    state: RequestState,
    reason: RejectedCredential,
    secret: string | undefined,
  ): Promise<Rejection | undefined>;
  readonly issuer: TokenIssuer;
  readonly dpop: DpopRules | undefined;
  readonly jose: Jose;
  readonly clock: Clock;
  readonly realm: string;
  /** Of each agent. */
  readonly limit: SharedLimit;
  /** Whether responses have rate limit headers. */
  readonly sendsQuota: boolean;
  logError(message: string): void;
}

const BODY_BOUNDS = { maxBytes: 8_192, timeoutMs: 10_000 };

const FORM_TYPE = /^application\/x-www-form-urlencoded[ \t]*(?:;|$)/i;

const TOO_MANY = tokenError('temporarily_unavailable', 'Too many requests. Try again later.', 429);
const UNAVAILABLE = tokenError(
  'temporarily_unavailable',
  'Tokens cannot be issued at the moment. Try again later.',
  503,
);
/** No redirect: no client has registered a redirect URI (RFC 6749 section 4.1.2.1). */
const NO_RESPONSE_TYPE = tokenError(
  'unsupported_response_type',
  'Tokens are issued by the token endpoint alone, for the grant client_credentials.',
);
const invalidRequest = (description: string, status = 400): TokenError =>
  tokenError('invalid_request', description, status);

/** Header fields, name and value in turn. */
type Headers = readonly string[];

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
  /** Of a rejected client, for the log. */
  readonly reason?: RejectedCredential;
}

export class TokenEndpoint {
  readonly #url: string;

  constructor(private readonly parts: TokenEndpointParts) {
    const { options } = parts;
    this.#url = new URL(options.issuer).origin + options.path;
  }

  claims(raw: IncomingMessage): boolean {
    const { path, authorizationPath } = this.parts.options;
    const requested = requestPath(raw.url ?? '');
    return requested === path || requested === authorizationPath;
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    const isToken = requestPath(raw.url ?? '') === this.parts.options.path;
    const answer = isToken ? await this.#answer(raw, state) : answerAuthorization(raw.method);
    if (answer === undefined) return false;
    // RFC 6749 section 5.1.
    const headers: Record<string, string> = { 'Cache-Control': 'no-store', Pragma: 'no-cache' };
    for (let index = 0; index < answer.headers.length; index += 2)
      headers[answer.headers[index]!] = answer.headers[index + 1]!;
    const { status, body, reason } = answer;
    if (status >= 400) {
      const cause = { reason: reason ?? String(body['error_description']) };
      state.reject({ status, code: String(body['error']), cause });
    }
    sendJson(raw, response, status, headers, body);
    return false;
  }

  /** `undefined` if the client has left. */
  async #answer(raw: IncomingMessage, state: RequestState): Promise<Answer | undefined> {
    if (raw.method !== 'POST') {
      return rejection(invalidRequest('The method must be POST.', 405), ['Allow', 'POST']);
    }
    // URLs are logged: parameters, secrets among them, must be in the body (RFC 6749 section 3.2).
    if ((raw.url ?? '').includes('?'))
      return rejection(invalidRequest('Parameters must be sent in the body.'));
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
        return rejection(invalidRequest('The body is too large.', 413));
      case 'too-slow':
        return rejection(invalidRequest('The body did not arrive in time.', 408));
    }
    if (!isUtf8(reading.bytes)) return rejection(OTHER_BODY);
    const request = readTokenRequest(reading.bytes.toString(), authorizationsOf(raw));
    if (request === INVALID_CLIENT) return this.#rejectClient(state, 'malformed', undefined);
    if ('error' in request) return rejection(request);
    try {
      return await this.#grant(request, raw, state);
    } catch (error) {
      this.parts.logError(`A token could not be issued: ${String(error)}`);
      return rejection(UNAVAILABLE, ['Retry-After', '1']);
    }
  }

  async #grant(request: TokenRequest, raw: IncomingMessage, state: RequestState): Promise<Answer> {
    const { clients, options, issuer } = this.parts;
    const { client } = request;
    const shown = { method: 'POST', url: this.#url, headers: raw.headers };
    const verification = await clients.verify(client.secret, shown);
    if (!verification.verified) return this.#rejectClient(state, verification.reason, client.secret);
    const { agent, expiresMs } = verification;
    // The client ID must belong to the secret: the agent's ID, or the key's.
    if (client.id !== agent.id && client.id !== agent.claims[KEY_ID_CLAIM]) {
      return this.#rejectClient(state, 'unknown', client.secret);
    }
    state.agent = agent;
    const limited = await this.#consumeLimit(agent.id, state);
    if (limited !== undefined) return limited;
    const scopes = grantScopes(request.scopes, agent.scopes);
    if ('error' in scopes) return rejection(scopes);
    const audiences = grantAudiences(request.resources, options.resources);
    if ('error' in audiences) return rejection(audiences);
    const boundTo = await this.#readProof(raw, agent.id);
    if (typeof boundTo === 'object') return rejection(boundTo);
    const issued = await issuer.issue({ agent, scopes, audiences, notAfterMs: expiresMs, boundTo });
    return {
      status: 200,
      headers: [],
      body: {
        access_token: issued.token,
        token_type: boundTo === undefined ? 'Bearer' : 'DPoP',
        expires_in: issued.expiresInSeconds,
        scope: scopes.join(' ') || undefined,
      },
    };
  }

  async #rejectClient(
    state: RequestState,
    reason: RejectedCredential,
    secret: string | undefined,
  ): Promise<Answer> {
    const limited = await this.parts.countFailedAttempt(state, reason, secret);
    if (limited !== undefined)
      return {
        ...rejection(limited.problem.status === 503 ? UNAVAILABLE : TOO_MANY, limited.headers),
        reason,
      };
    const basic = challenge('Basic', [
      ['realm', this.parts.realm],
      ['charset', 'UTF-8'],
    ]);
    // Also for clients that have not used the header: a 401 needs a challenge (RFC 9110 section 15.5.2).
    return { ...rejection(INVALID_CLIENT, ['WWW-Authenticate', basic]), reason };
  }

  async #consumeLimit(agentId: string, state: RequestState): Promise<Answer | undefined> {
    const { clock, limit, sendsQuota } = this.parts;
    const decision = await limit.consumeOfAgent(agentId);
    if (decision === 'unavailable') return rejection(UNAVAILABLE, ['Retry-After', '1']);
    if (decision === undefined) return undefined;
    if (decision.granted && !sendsQuota) return undefined;
    state.limits.quotaHeaders = quotaHeaders(decision, clock.epochMs(), sendsQuota);
    return decision.granted ? undefined : rejection(TOO_MANY);
  }

  /** The thumbprint that the token is bound to, if the client has sent a DPoP proof (RFC 9449 section 5). */
  async #readProof(raw: IncomingMessage, holder: string): Promise<string | undefined | TokenError> {
    const { dpop, jose, clock } = this.parts;
    const proof = raw.headers['dpop'];
    if (dpop === undefined || (proof === undefined && !dpop.required)) return undefined;
    const shown = {
      method: 'POST',
      url: this.#url,
      proof: String(proof ?? ''),
      accessToken: undefined,
      boundTo: undefined,
      holder,
    };
    const thumbprint = await checkProof(jose, shown, dpop, clock.epochMs());
    return (
      thumbprint ?? tokenError('invalid_dpop_proof', 'The DPoP proof is missing, invalid or already used.')
    );
  }
}

function answerAuthorization(method: string | undefined): Answer {
  return method === 'GET' || method === 'HEAD' || method === 'POST'
    ? rejection(NO_RESPONSE_TYPE)
    : rejection(invalidRequest('The method must be GET or POST.', 405), ['Allow', 'GET, HEAD, POST']);
}

function rejection({ status, error, description }: TokenError, headers: Headers = []): Answer {
  return { status, headers, body: { error, error_description: description } };
}

/** All header lines: Node silently keeps only the first of several. */
function authorizationsOf({ rawHeaders }: IncomingMessage): readonly string[] {
  return rawHeaders.filter(
    (_value, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === 'authorization',
  );
}
