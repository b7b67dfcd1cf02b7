import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  asGiven,
  boolean,
  duration,
  fn,
  type OptionTable,
  readTable,
  requiredText,
  type Resolved,
  text,
} from '../common/option-table.js';
import { readStringList, readTexts, receivedError } from '../common/read-options.js';
import { PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHMS, type Jwk } from './token-key.js';
import { normalizeType } from './read-jws.js';
import { type AgentFields, type ClaimNames, DEFAULT_CLAIM_NAMES, type TokenClaims } from './token-claims.js';
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
  /** The exact `iss` of the tokens. */
  issuer: string;
  /**
   * The identifier of this API: `aud` must contain it, or one of several. Required if `auth.resource` is not set.
   * @default `auth.resource`
   */
  audience?: string | readonly string[];
  /**
   * The allowed signature algorithms. They have no default, so that the choice is not left to the token. `none`, and algorithms of
   * secrets together with those of public keys, stop the start-up.
   * @see RFC 8725 section 3.1
   */
  algorithms: readonly string[];
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
  /** The maximum age of a token, counted from its `iat`, whatever its `exp` says: up to 31 days. @default '15 minutes' */
  maxAge?: string;
  /** The tolerated difference between clocks, up to 5 minutes. @default '5 seconds' */
  clockTolerance?: string;
  /** The allowed `typ`, so that ID tokens and other JWTs of the issuer are rejected. @default 'at+jwt' @see RFC 9068 section 2.1 */
  type?: string | readonly string[];
  /**
   * The names of the claims that are read as `id`, `scopes`, `tier`, `tenant` and `tools`.
   * @default sub, scope, tier, tenant, tools
   */
  claims?: Partial<ClaimNames>;
  /** Reads the agent from verified claims, in place of `claims`. `undefined` rejects the token. */
  agent?: (claims: TokenClaims) => AgentFields | undefined;
  /** Accepts tokens that are bound to a key of the agent. @default false: bound tokens are rejected */
  dpop?: boolean | DpopOptions;
}

const DPOP_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256'];

const DPOP_TABLE = {
  required: boolean(false),
  algorithms: readProofAlgorithms,
  maxAge: duration('1 minute', '5s', '5 minutes'),
} satisfies OptionTable<DpopOptions>;

export interface ResolvedDpop {
  readonly required: boolean;
  readonly algorithms: readonly string[];
  readonly maxAgeMs: number;
}

const CLAIM_TABLE = {
  id: text(DEFAULT_CLAIM_NAMES.id),
  scopes: text(DEFAULT_CLAIM_NAMES.scopes),
  tier: text(DEFAULT_CLAIM_NAMES.tier),
  tenant: text(DEFAULT_CLAIM_NAMES.tenant),
  tools: text(DEFAULT_CLAIM_NAMES.tools),
} satisfies OptionTable<ClaimNames>;

const TABLE = {
  issuer: requiredText,
  audience: asGiven,
  algorithms: readAlgorithms,
  keys: asGiven,
  secret: asGiven,
  jwksUri: asGiven,
  jwksMaxAge: duration('10 minutes', '10s', '1 day'),
  maxAge: duration('15 minutes', '1s', '31 days'),
  clockTolerance: duration('5 seconds', '0s', '5 minutes'),
  type: (option, value = 'at+jwt'): readonly string[] => readTexts(option, value).map(normalizeType),
  claims: (option, value): ClaimNames => readTable(option, value, CLAIM_TABLE),
  agent: fn<NonNullable<TokensOptions['agent']>>(),
  dpop: resolveDpop,
} satisfies OptionTable<TokensOptions>;

export interface ResolvedTokens
  extends
    ResolvedTokenKeys,
    Pick<Resolved<typeof TABLE>, 'issuer' | 'algorithms' | 'claims' | 'agent' | 'dpop'> {
  readonly audiences: readonly string[];
  readonly types: readonly string[];
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
}

/** @param resource `auth.resource` */
export function resolveTokens(option: string, input: unknown, resource?: string): ResolvedTokens | undefined {
  if (input === undefined || input === false) return undefined;
  const options = readTable(option, input, TABLE);
  const { issuer, algorithms, claims, agent, dpop } = options;
  return {
    issuer,
    audiences: readTexts(`${option}.audience`, options.audience ?? resource),
    algorithms,
    types: options.type,
    ...readTokenKeys(option, options),
    maxAgeMs: options.maxAge,
    clockToleranceMs: options.clockTolerance,
    claims,
    agent,
    dpop,
  };
}

export function resolveDpop(option: string, input: unknown): ResolvedDpop | undefined {
  if (input === undefined || input === false) return undefined;
  const { required, algorithms, maxAge } = readTable(option, input === true ? {} : input, DPOP_TABLE);
  return { required, algorithms, maxAgeMs: maxAge };
}

function readProofAlgorithms(option: string, value: unknown): readonly string[] {
  const algorithms = readStringList(option, value, DPOP_ALGORITHMS);
  for (const [index, alg] of algorithms.entries())
    if (!PUBLIC_KEY_ALGORITHMS.has(alg)) throw algorithmError(`${option}[${index}]`, alg);
  return algorithms;
}

function readAlgorithms(option: string, value: unknown): readonly string[] {
  const algorithms = readStringList(option, value, []);
  if (algorithms.length === 0) {
    throw receivedError(
      'ASEC_TOKEN_ALGORITHM',
      option,
      'must name the signature algorithms of the issuer',
      "Write for example ['ES256'].",
      value,
    );
  }
  for (const [index, alg] of algorithms.entries()) {
    if (!PUBLIC_KEY_ALGORITHMS.has(alg) && !SECRET_ALGORITHMS.has(alg)) {
      throw algorithmError(`${option}[${index}]`, alg);
    }
  }
  const symmetric = SECRET_ALGORITHMS.has(algorithms[0]!);
  if (algorithms.some(alg => SECRET_ALGORITHMS.has(alg) !== symmetric)) {
    throw receivedError(
      'ASEC_TOKEN_ALGORITHM',
      option,
      'must not mix algorithms of secrets and of public keys',
      'If a public key is used as a secret, anyone can forge tokens. Choose one kind.',
      value,
    );
  }
  return algorithms;
}

function algorithmError(option: string, value: string): AgentSecurityConfigError {
  return receivedError(
    'ASEC_TOKEN_ALGORITHM',
    option,
    'is not a supported signature algorithm',
    `Known: ${[...PUBLIC_KEY_ALGORITHMS.keys(), ...SECRET_ALGORITHMS.keys()].join(', ')}.`,
    value,
  );
}
