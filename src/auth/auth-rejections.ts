/* The responses to requests without a valid credential or the required scopes (RFC 6750 section 3, RFC 9728 section 5.1). */
import type { ProblemFields } from '../common/problem.js';
import { bearerChallenge, type ChallengeParameter } from '../identity/credential.js';
import { type Rejection, temporarilyUnavailable } from '../common/rejection.js';

/** The rejections that contain the challenges of this API. */
export type AuthRejections = ReturnType<typeof createAuthRejections>;

/** The kinds of credentials that are configured. */
interface AcceptedKinds {
  readonly apiKeys: boolean;
  readonly tokens: boolean;
}

/**
 * @param resourceMetadata the URL of the protected resource metadata (RFC 9728)
 * @param others further challenges, such as `DPoP algs="ES256"`
 */
export function createAuthRejections(
  realm: string,
  resourceMetadata: string | undefined,
  others: readonly string[],
  accepted: AcceptedKinds,
) {
  const challenges = (...parameters: readonly ChallengeParameter[]): readonly string[] => {
    const all: ChallengeParameter[] = [['realm', realm], ...parameters];
    if (resourceMetadata !== undefined) all.push(['resource_metadata', resourceMetadata]);
    return ['WWW-Authenticate', [bearerChallenge(all), ...others].join(', ')];
  };
  const invalid = (detail: string, ...headers: readonly string[]): Rejection => ({
    problem: { status: 401, code: 'invalid_token', detail },
    headers: [...challenges(['error', 'invalid_token'], ['error_description', detail]), ...headers],
  });
  const missing: Rejection = {
    problem: {
      status: 401,
      code: 'credential_missing',
      detail: `This route needs ${describeKinds(accepted)}.`,
    },
    headers: challenges(),
  };
  return {
    missing,
    invalid: invalid('The credential is not valid.'),
    expired: invalid('The credential has expired.', 'X-Token-Expired', 'true'),
    insufficientScope: (all: readonly string[], any: readonly string[]): Rejection => ({
      problem: {
        status: 403,
        code: 'insufficient_scope',
        detail: 'The credential does not have the scopes that this route needs.',
        members: {
          ...(all.length > 0 ? { required_scopes: all } : {}),
          ...(any.length > 0 ? { any_of_scopes: any } : {}),
        },
      },
      headers: challenges(
        ['error', 'insufficient_scope'],
        ['scope', [...new Set([...all, ...any])].join(' ')],
      ),
    }),
  };
}

function describeKinds({ apiKeys, tokens }: AcceptedKinds): string {
  if (apiKeys)
    return tokens
      ? 'an API key as X-API-Key, or an API key or a token as Authorization: Bearer'
      : 'an API key, as X-API-Key or Authorization: Bearer';
  return tokens ? 'a token, as Authorization: Bearer' : 'a credential';
}

/** Two credentials, one of which may come from a proxy or from another client. */
export const CREDENTIAL_AMBIGUOUS: Rejection = {
  problem: { status: 400, code: 'credential_ambiguous', detail: 'Send one credential, on one header line.' },
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
