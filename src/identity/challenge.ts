/* The challenges of `WWW-Authenticate`. */

export type ChallengeParameter = readonly [name: string, value: string];

/**
 * A `WWW-Authenticate` challenge (RFC 9110 section 11.6.1): `Bearer error="insufficient_scope", scope="a b"`.
 * @param parameters whose values need no escapes
 */
export function challenge(scheme: string, parameters: readonly ChallengeParameter[] = []): string {
  const list = parameters.map(([name, value]) => `${name}="${value}"`).join(', ');
  return list === '' ? scheme : `${scheme} ${list}`;
}

/** @see RFC 6750 section 3 */
export const bearerChallenge = (parameters?: readonly ChallengeParameter[]): string =>
  challenge('Bearer', parameters);

/** The header's description in OpenAPI documents. */
export const CHALLENGE = {
  'WWW-Authenticate': 'The accepted schemes, and what the credential lacks (RFC 6750).',
};
