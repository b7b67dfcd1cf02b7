/* The responses to requests without a valid credential or the required scopes (RFC 6750 section 3, RFC 9728 section 5.1). */
import { type ProblemFields, type Rejection, temporarilyUnavailable } from '../common/problem.js';
import { bearerChallenge, type ChallengeParameter } from '../identity/credential.js';
import type { ArgumentsHost } from '@nestjs/common';
import { readCall } from '../common/read-call.js';
import { handshakeOf, type RequestState, stateOfRequest } from '../common/request-state.js';

interface ChallengeSettings {
  readonly realm: string;
  /** The URL of the protected resource metadata (RFC 9728). */
  readonly resourceMetadata: string | undefined;
  /** Further challenges, such as `DPoP algs="ES256"`. */
  readonly others: readonly string[];
}

export class AuthRejections {
  readonly #settings: ChallengeSettings;
  readonly missing: Rejection;
  readonly invalid: Rejection;
  readonly expired: Rejection;

  constructor(settings: ChallengeSettings) {
    this.#settings = settings;
    this.missing = {
      problem: {
        status: 401,
        code: 'credential_missing',
        detail: 'This route needs a credential: Authorization: Bearer, or X-API-Key.',
      },
      headers: this.#challenge([]),
    };
    this.invalid = this.#invalid('The credential is not valid.', []);
    this.expired = this.#invalid('The credential has expired.', ['X-Token-Expired', 'true']);
  }

  insufficientScope(all: readonly string[], any: readonly string[]): Rejection {
    const names = [...new Set([...all, ...any])].join(' ');
    return {
      problem: {
        status: 403,
        code: 'insufficient_scope',
        detail: 'The credential does not have the scopes that this route needs.',
        members: {
          ...(all.length > 0 ? { required_scopes: all } : {}),
          ...(any.length > 0 ? { any_of_scopes: any } : {}),
        },
      },
      headers: this.#challenge([
        ['error', 'insufficient_scope'],
        ['scope', names],
      ]),
    };
  }

  #invalid(detail: string, headers: readonly string[]): Rejection {
    return {
      problem: { status: 401, code: 'invalid_token', detail },
      headers: [
        ...this.#challenge([
          ['error', 'invalid_token'],
          ['error_description', detail],
        ]),
        ...headers,
      ],
    };
  }

  #challenge(parameters: readonly ChallengeParameter[]): readonly string[] {
    const { realm, resourceMetadata, others } = this.#settings;
    const bearer = bearerChallenge([
      ['realm', realm],
      ...parameters,
      ...(resourceMetadata === undefined ? [] : [['resource_metadata', resourceMetadata] as const]),
    ]);
    return ['WWW-Authenticate', [bearer, ...others].join(', ')];
  }
}

/** Two credentials, one of which may come from a proxy or from another client. */
export const CREDENTIAL_AMBIGUOUS: Rejection = {
  problem: {
    status: 400,
    code: 'credential_ambiguous',
    detail: 'Send one credential, on one header line.',
  },
  headers: [],
};

/** A socket.io session of another agent, or one that does not exist. */
export const SESSION_UNKNOWN: Rejection = {
  problem: {
    status: 400,
    code: 'session_unknown',
    detail: 'The session does not exist. Open a new one.',
  },
  headers: [],
};

export const CREDENTIAL_IN_URL_PROBLEM: ProblemFields = {
  status: 400,
  code: 'credential_in_url',
  detail:
    'Credentials must not be sent in a URL, because URLs are logged. Send it in a header, and rotate this one.',
};

/** The key store, or the keys of a token issuer, are unavailable. */
export const IDENTITY_UNAVAILABLE = temporarilyUnavailable({
  code: 'identity_unavailable',
  detail: 'Credentials cannot be verified at the moment.',
});

/**
 * The request state of a guard's context; for a WebSocket message, the state of its handshake. `undefined` for contexts without a request
 * that the module has seen: microservices, and gateways on a port of their own.
 */
export function stateOfCall(host: ArgumentsHost): RequestState | undefined {
  return host.getType() === 'ws' ? stateOfRequest(handshakeOf(host.getArgByIndex(0))) : readCall(host)?.state;
}
