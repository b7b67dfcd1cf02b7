/* Valid and forged tokens for tests. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CompactSign } from 'jose';

export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'https://api.example.com';

/** The start of `ManualClock`. */
export const NOW_S = Date.UTC(2030, 0, 1) / 1_000;

export const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const OTHER_EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const ED = generateKeyPairSync('ed25519');
export const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });

export const publicJwk = (key: KeyObject, more: object = {}): Record<string, unknown> => ({
  ...key.export({ format: 'jwk' }),
  ...more,
});

export const CLAIMS = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'agent-7',
  scope: 'data:read data:write',
  iat: NOW_S,
  exp: NOW_S + 600,
};

export interface TokenParts {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
  /** In place of the claims. */
  payload?: string;
  key?: KeyObject;
}

export function sign({ header, claims, payload, key = EC.privateKey }: TokenParts = {}): Promise<string> {
  const all = Object.fromEntries(
    Object.entries({ ...CLAIMS, ...claims }).filter(([, value]) => value !== undefined),
  );
  return new CompactSign(Buffer.from(payload ?? JSON.stringify(all)))
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header })
    .sign(key);
}

/** Serializes a token with the given header and claims, and an arbitrary signature. */
export function forge(header: unknown, claims: unknown = CLAIMS, signature = 'c2lnbmF0dXJl'): string {
  const part = (value: unknown): string =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}
