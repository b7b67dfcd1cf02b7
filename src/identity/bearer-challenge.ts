/** What a `WWW-Authenticate` challenge says beside its scheme. */
export interface ChallengeParts {
  readonly error?: 'insufficient_scope' | undefined;
  readonly scopes?: readonly string[] | undefined;
}

/** `Bearer error="insufficient_scope", scope="a b"`. @see RFC 6750 section 3 */
export function bearerChallenge({ error, scopes }: ChallengeParts = {}): string {
  const parameters = [
    ...(error === undefined ? [] : [`error="${error}"`]),
    ...(scopes === undefined || scopes.length === 0 ? [] : [`scope="${scopes.join(' ')}"`]),
  ];
  return parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`;
}
