/* The responses to requests without a valid credential or the required scopes (RFC 6750 section 3, RFC 9728 section 5.1). */
import { bearerChallenge, type ChallengeParameter } from '../identity/challenge.js';
import type { Rejection } from '../common/rejection.js';

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
