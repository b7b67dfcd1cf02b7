/* The published shapes of the access tokens of some providers: defaults of `auth.tokens`, and what tells an access token from an ID token
 * where the `typ` header does not. */
import type { TokenCheck } from '../identity/rejected-credential.js';
import type { TokenClaims } from './token-claims.js';

export const TOKEN_PRESETS = ['cognito', 'okta', 'auth0', 'keycloak', 'entra'] as const;

/** A provider whose access tokens differ from RFC 9068. @example const preset: TokenPreset = 'okta'; */
export type TokenPreset = (typeof TOKEN_PRESETS)[number];

/** The `typ` of a token without one. */
export const NO_TYPE = '';

interface PresetRules {
  /** The allowed `typ`, normalized. */
  readonly types: readonly string[];
  /** The claim of the scopes; of several, the first that is present. */
  readonly scopes: string | readonly string[];
  /** The URL of the key set, below the issuer. */
  jwksUri(issuer: string): string;
  /** Whether `client_id` is checked in place of `aud`, which the tokens do not have. */
  readonly checksClient: boolean;
  /** Whether the claims are those of an access token: an ID token must not be accepted (RFC 9068 section 2.1, RFC 8725 section 3.12). */
  isAccessToken(claims: TokenClaims): boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

const below =
  (path: string) =>
  (issuer: string): string =>
    issuer.replace(/\/$/, '') + path;

export const PRESET_RULES: Readonly<Record<TokenPreset, PresetRules>> = {
  // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
  cognito: {
    types: [NO_TYPE],
    scopes: 'scope',
    jwksUri: below('/.well-known/jwks.json'),
    checksClient: true,
    isAccessToken: claims => claims['token_use'] === 'access',
  },
  // https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/: ID tokens have no `cid`.
  okta: {
    types: [NO_TYPE, 'jwt', 'at+jwt'],
    scopes: 'scp',
    jwksUri: below('/v1/keys'),
    checksClient: false,
    isAccessToken: claims => isText(claims['cid']),
  },
  // https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles: `azp` in one profile, `client_id` in the other.
  auth0: {
    types: ['jwt', 'at+jwt'],
    scopes: 'scope',
    jwksUri: below('/.well-known/jwks.json'),
    checksClient: false,
    isAccessToken: claims =>
      (isText(claims['azp']) || isText(claims['client_id'])) &&
      claims['nonce'] === undefined &&
      claims['at_hash'] === undefined,
  },
  // https://www.keycloak.org/docs/latest/server_admin/: the claim `typ` is "ID" in ID tokens, "DPoP" in bound access tokens.
  keycloak: {
    types: ['jwt', 'at+jwt'],
    scopes: 'scope',
    jwksUri: below('/protocol/openid-connect/certs'),
    checksClient: false,
    isAccessToken: claims => claims['typ'] === 'Bearer' || claims['typ'] === 'DPoP',
  },
  // https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference: ID tokens have neither `azp` nor `appid`.
  entra: {
    types: ['jwt', 'at+jwt'],
    // Delegated permissions; where there are none, those of an app that calls for itself. The roles of a user are no permissions of the app.
    scopes: ['scp', 'roles'],
    jwksUri: issuer => `${issuer.replace(/\/(?:v2\.0)?$/, '')}/discovery/v2.0/keys`,
    checksClient: false,
    isAccessToken: claims => isText(claims['azp']) || isText(claims['appid']),
  },
};

/** The lifetime that the providers allow at most, or nearly so: the `exp` of their tokens decides. */
const PRESET_MAX_AGE = '1 day';

/** The options of `auth.tokens` with the defaults of its preset. */
export function withPreset(input: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { preset, issuer } = input;
  // Any other value gets its error from the table.
  if (!TOKEN_PRESETS.includes(preset as TokenPreset)) return input;
  const rules = PRESET_RULES[preset as TokenPreset];
  const hasKeys = ['keys', 'secret', 'jwksUri'].some(name => input[name] !== undefined);
  return {
    ...input,
    algorithms: input['algorithms'] ?? ['RS256'],
    maxAge: input['maxAge'] ?? PRESET_MAX_AGE,
    ...(hasKeys || typeof issuer !== 'string' ? {} : { jwksUri: rules.jwksUri(issuer) }),
  };
}

/** The check that a token of a preset fails, of those that depend on the preset. */
export function checkPreset(
  claims: TokenClaims,
  preset: TokenPreset | undefined,
  clients: readonly string[],
): TokenCheck | undefined {
  if (preset === undefined) return undefined;
  const { checksClient, isAccessToken } = PRESET_RULES[preset];
  if (!isAccessToken(claims)) return 'use';
  if (checksClient && !clients.includes(claims['client_id'] as string)) return 'client_id';
  return undefined;
}
