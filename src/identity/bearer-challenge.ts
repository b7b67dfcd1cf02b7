export type ChallengeParameter = readonly [name: string, value: string];

/** `Bearer error="insufficient_scope", scope="a b"`. @see RFC 6750 section 3 */
export function bearerChallenge(parameters: readonly ChallengeParameter[] = []): string {
  if (parameters.length === 0) return 'Bearer';
  return `Bearer ${parameters.map(([name, value]) => `${name}="${value}"`).join(', ')}`;
}
