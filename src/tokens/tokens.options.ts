import {
  asGiven,
  boolean,
  duration,
  fn,
  list,
  optional,
  type OptionTable,
  readTable,
  requiredText,
  type Resolved,
  text,
} from '../common/option-table.js';
import { type ForeignNames, literal, renamed } from '../common/foreign-names.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { isRecord, readChoice, readString, readTexts, receivedError } from '../common/read-options.js';
import { normalizeType } from './read-jws.js';
import { type AgentFields, type ClaimNames, DEFAULT_CLAIM_NAMES, type TokenClaims } from './token-claims.js';
import { PRESET_RULES, TOKEN_PRESETS, type TokenPreset, withPreset } from './token-presets.js';
import { type Jwk, PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHMS } from './token-key.js';
import {
  type PublicKeyInput,
  readTokenKeys,
  type ResolvedTokenKeys,
  type SecretInput,
} from './token-keys.options.js';

/**
 * DPoP: proofs of possession (RFC 9449).
 * @example
 * const dpop: DpopOptions = { required: true, maxAge: '30 seconds' };
 */
export interface DpopOptions {
  /** Whether tokens that are not bound to a key are rejected. @default false */
  required?: boolean;
  /** The allowed signature algorithms of proofs. @default ['ES256', 'EdDSA', 'Ed25519', 'PS256'] */
  algorithms?: readonly string[];
  /** The maximum age of a proof, from 5 seconds to 5 minutes. @default '1 minute' */
  maxAge?: string;
}

/**
 * Access tokens of another issuer: which are valid, and how the agent is read from them.
 * @example
 * const tokens: TokensOptions = {
 *   issuer: 'https://login.example.com',
 *   audience: 'https://api.example.com',
 *   algorithms: ['ES256'],
 *   jwksUri: 'https://login.example.com/.well-known/jwks.json',
 * };
 */
export interface TokensOptions {
  /**
   * The provider, whose access tokens differ from RFC 9068: sets `type`, the claim of the scopes, `algorithms` (RS256), `maxAge` (a day) and
   * `jwksUri`, unless they are set here, and rejects its ID tokens. With `cognito`, whose tokens have no `aud`, `clientId` takes its place.
   * See docs/authentication.md#providers.
   * @default none
   */
  preset?: TokenPreset;
  /** The exact `iss` of the tokens, with its trailing slash, if it has one. */
  issuer: string;
  /**
   * The identifier of this API: `aud` must contain it, or one of several. Required if `auth.resource` is not set.
   * @default `auth.resource`
   */
  audience?: string | readonly string[];
  /**
   * The IDs of the app clients whose tokens are accepted: `client_id` must be one of them. Required with the preset `cognito`, and an
   * error without it.
   */
  clientId?: string | readonly string[];
  /**
   * The allowed signature algorithms. They have no default, so that the choice is not left to the token. `none`, and algorithms of
   * secrets together with those of public keys, stop the start-up. Required without `preset`.
   * @see RFC 8725 section 3.1
   */
  algorithms?: readonly string[];
  /**
   * The issuer's public keys: JWKs, PEM text or `KeyObject`s, 1 to 100 of them, or a JWK set. Set one of `keys`, `secret` and `jwksUri`.
   */
  keys?: PublicKeyInput | readonly PublicKeyInput[] | { readonly keys: readonly Jwk[] };
  /** Secrets that are shared with the issuer, for HS256, HS384 and HS512. Excludes public keys. */
  secret?: SecretInput | readonly SecretInput[];
  /** The URL of the issuer's key set: https, or http on a loopback address. */
  jwksUri?: string;
  /** How long a fetched key set is used before it is fetched again, from 10 seconds to a day. @default '10 minutes' */
  jwksMaxAge?: string;
  /**
   * The maximum age of a token, counted from its `iat`, whatever its `exp` says: up to 31 days.
   * @default '15 minutes'; '1 day' with `preset`
   */
  maxAge?: string;
  /** The tolerated difference between clocks, up to 5 minutes. @default '5 seconds' */
  clockTolerance?: string;
  /**
   * The allowed `typ`, so that ID tokens and other JWTs of the issuer are rejected.
   * @default 'at+jwt', or that of `preset`
   * @see RFC 9068 section 2.1
   */
  type?: string | readonly string[];
  /**
   * The names of the claims that are read as `id`, `scopes`, `tier`, `tenant` and `tools`.
   * @default sub, scope (or that of `preset`), tier, tenant, tools
   */
  claims?: Partial<ClaimNames>;
  /** Reads the agent from verified claims, in place of `claims`. `undefined` rejects the token. */
  agent?: (claims: TokenClaims) => AgentFields | undefined;
  /** Accepts tokens that are bound to a key of the agent. @default false: bound tokens are rejected */
  dpop?: boolean | DpopOptions;
}

const DPOP_TABLE = {
  required: boolean(false),
  algorithms: list(readProofAlgorithm, ['ES256', 'EdDSA', 'Ed25519', 'PS256']),
  maxAge: duration('1 minute', '5s', '5 minutes'),
} satisfies OptionTable<DpopOptions>;

export interface ResolvedDpop extends Pick<Resolved<typeof DPOP_TABLE>, 'required' | 'algorithms'> {
  readonly maxAgeMs: number;
}

const CLAIM_TABLE = {
  id: text(DEFAULT_CLAIM_NAMES.id),
  scopes: optional((option, value): string | readonly string[] =>
    typeof value === 'string' ? readString(option, value, '') : readTexts(option, value),
  ),
  tier: text(DEFAULT_CLAIM_NAMES.tier),
  tenant: text(DEFAULT_CLAIM_NAMES.tenant),
  tools: text(DEFAULT_CLAIM_NAMES.tools),
} satisfies OptionTable<ClaimNames>;

const TABLE = {
  preset: optional((option, value): TokenPreset =>
    readChoice(option, value, TOKEN_PRESETS, TOKEN_PRESETS[0]),
  ),
  issuer: requiredText,
  audience: asGiven,
  clientId: asGiven,
  algorithms: readAlgorithms,
  keys: asGiven,
  secret: asGiven,
  jwksUri: asGiven,
  jwksMaxAge: duration('10 minutes', '10s', '1 day'),
  maxAge: duration('15 minutes', '1s', '31 days'),
  clockTolerance: duration('5 seconds', '0s', '5 minutes'),
  type: optional((option, value): readonly string[] => readTexts(option, value).map(normalizeType)),
  claims: (option, value) => readTable(option, value, CLAIM_TABLE),
  agent: fn<NonNullable<TokensOptions['agent']>>(),
  dpop: resolveDpop,
} satisfies OptionTable<TokensOptions>;

/** The names of passport-jwt, jsonwebtoken, jose and express-oauth2-jwt-bearer. */
const FOREIGN: ForeignNames = {
  iss: renamed('issuer'),
  aud: renamed('audience'),
  publicKey: 'Write keys: the public key as PEM text, a JWK or a KeyObject.',
  secretOrKey: 'Write secret for HS256, or keys: the public key.',
  issuerBaseURL: 'Write issuer: the exact "iss" of the tokens, and jwksUri: the URL of its keys.',
  tokenSigningAlg: value => `Write algorithms: ${literal([value])}.`,
  ignoreExpiration: 'Remove it: an expired token is always rejected.',
  maxTokenAge: renamed('maxAge'),
};

export interface ResolvedTokens
  extends
    ResolvedTokenKeys,
    Pick<Resolved<typeof TABLE>, 'preset' | 'issuer' | 'algorithms' | 'agent' | 'dpop'> {
  readonly claims: ClaimNames;
  readonly audiences: readonly string[];
  readonly clients: readonly string[];
  readonly types: readonly string[];
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
}

/** @param resource `auth.resource` */
export function resolveTokens(option: string, input: unknown, resource?: string): ResolvedTokens | undefined {
  if (input === undefined || input === false) return undefined;
  const options = readTable(option, isRecord(input) ? withPreset(input) : input, TABLE, FOREIGN);
  const { preset, issuer, algorithms, claims, agent, dpop } = options;
  const rules = preset && PRESET_RULES[preset];
  const clients = readClients(`${option}.clientId`, options.clientId, rules?.checksClient === true);
  return {
    preset,
    issuer,
    audiences: readAudiences(
      `${option}.audience`,
      options.audience,
      rules?.checksClient ? undefined : resource,
      clients,
    ),
    clients,
    algorithms,
    types: options.type ?? rules?.types ?? ['at+jwt'],
    ...readTokenKeys(option, options),
    maxAgeMs: options.maxAge,
    clockToleranceMs: options.clockTolerance,
    claims: { ...claims, scopes: claims.scopes ?? rules?.scopes ?? DEFAULT_CLAIM_NAMES.scopes },
    agent,
    dpop,
  };
}

function readClients(option: string, value: unknown, isChecked: boolean): readonly string[] {
  if (isChecked) return readTexts(option, value);
  if (value === undefined) return [];
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    option,
    "is checked with the preset 'cognito' only",
    'Set audience, which the tokens of other issuers have, or read the client in agent.',
  );
}

/** Only tokens whose client is checked may have no audience. */
function readAudiences(
  option: string,
  value: unknown,
  resource: string | undefined,
  clients: readonly string[],
): readonly string[] {
  const audience = value ?? resource;
  return audience === undefined && clients.length > 0 ? [] : readTexts(option, audience);
}

export function resolveDpop(option: string, input: unknown): ResolvedDpop | undefined {
  if (input === undefined || input === false) return undefined;
  const { maxAge: maxAgeMs, ...dpop } = readTable(option, input === true ? {} : input, DPOP_TABLE);
  return { ...dpop, maxAgeMs };
}

function readAlgorithms(option: string, value: unknown): readonly string[] {
  const algorithms = list(readAlgorithm)(option, value);
  const kinds = new Set(algorithms.map(alg => SECRET_ALGORITHMS.has(alg)));
  if (kinds.size === 1) return algorithms;
  const [problem, remedy] =
    kinds.size === 0
      ? ['must name the signature algorithms of the issuer', "Write for example ['ES256']."]
      : [
          'must not mix algorithms of secrets and of public keys',
          'If a public key is used as a secret, anyone can forge tokens. Choose one kind.',
        ];
  throw receivedError('ASEC_TOKEN_ALGORITHM', option, problem!, remedy!, value);
}

function readAlgorithm(option: string, value: unknown): string {
  return SECRET_ALGORITHMS.has(value as string) ? (value as string) : readProofAlgorithm(option, value);
}

function readProofAlgorithm(option: string, value: unknown): string {
  if (PUBLIC_KEY_ALGORITHMS.has(value as string)) return value as string;
  const known = [...PUBLIC_KEY_ALGORITHMS.keys(), ...SECRET_ALGORITHMS.keys()].join(', ');
  const problem = 'is not a supported signature algorithm';
  throw receivedError('ASEC_TOKEN_ALGORITHM', option, problem, `Known: ${known}.`, value);
}
