/* The signature algorithms that tokens may use (RFC 7518 section 3.1, RFC 8037, RFC 9864). `none` is not among them. */

interface PublicKeyAlgorithm {
  /** Node's name for the type of key. */
  readonly keyType: 'rsa' | 'ec' | 'ed25519';
  /** Node's name for the curve. */
  readonly curve?: string;
}

export const PUBLIC_KEY_ALGORITHMS: ReadonlyMap<string, PublicKeyAlgorithm> = new Map(
  Object.entries({
    ES256: { keyType: 'ec', curve: 'prime256v1' },
    ES384: { keyType: 'ec', curve: 'secp384r1' },
    ES512: { keyType: 'ec', curve: 'secp521r1' },
    EdDSA: { keyType: 'ed25519' },
    Ed25519: { keyType: 'ed25519' },
    PS256: { keyType: 'rsa' },
    PS384: { keyType: 'rsa' },
    PS512: { keyType: 'rsa' },
    RS256: { keyType: 'rsa' },
    RS384: { keyType: 'rsa' },
    RS512: { keyType: 'rsa' },
  } as const),
);

/** Each with the minimum length of its secret, in bytes (RFC 7518 section 3.2). */
export const SECRET_ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
]);
