/* `WWW-Authenticate` challenges (RFC 9110 section 11.6.1). */

export type ChallengeParameter = readonly [name: string, value: string];

/** `Basic realm="api", charset="UTF-8"`. @param parameters whose values need no escapes */
export function challenge(scheme: string, parameters: readonly ChallengeParameter[]): string {
  const list = parameters.map(([name, value]) => `${name}="${value}"`).join(', ');
  return list === '' ? scheme : `${scheme} ${list}`;
}

/** `Bearer error="insufficient_scope", scope="a b"`. @see RFC 6750 section 3 */
export const bearerChallenge = (parameters: readonly ChallengeParameter[] = []): string =>
  challenge('Bearer', parameters);
