import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  readBoolean,
  readFunction,
  readObject,
  readRequired,
  readString,
  readStringList,
  readTexts,
  receivedError,
} from '../common/read-options.js';
import { readDuration } from '../common/read-duration.js';
import { PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHMS } from './algorithms.js';
import { normalizeType } from './read-jws.js';
import { type AgentFields, type ClaimNames, DEFAULT_CLAIM_NAMES, type TokenClaims } from './token-agent.js';
import type { Jwk } from './token-key.js';
import {
  type PublicKeyInput,
  readTokenKeys,
  type ResolvedTokenKeys,
  type SecretInput,
} from './token-keys.options.js';

/** Proofs of possession (RFC 9449). */
export interface DpopOptions {
  /** Whether tokens that are bound to no key are refused. @default false */
  required?: boolean;
  /** @default ['ES256', 'EdDSA', 'Ed25519', 'PS256'] */
  algorithms?: readonly string[];
  /** How old a proof may be, from 5 seconds to 5 minutes. @default '1 minute' */
  maxAge?: string;
}

/** Which signed tokens are trusted, and what is read from them. */
export interface TokensOptions {
  /** The `iss` of the tokens, exactly. Required. */
  issuer: string;
  /** The API's own identifier: a token must name it, or one of several, in `aud`. Required. @default `auth.resource` */
  audience?: string | readonly string[];
  /** The signature algorithms that are taken. Required: a list that nobody chose would take what an attacker chooses. @see RFC 8725 section 3.1 */
  algorithms: readonly string[];
  /** The issuer's public keys; also a JWK set. */
  keys?: PublicKeyInput | readonly PublicKeyInput[] | { readonly keys: readonly Jwk[] };
  /** Secrets shared with the issuer, for HS256, HS384 and HS512. Never together with public keys. */
  secret?: SecretInput | readonly SecretInput[];
  /** Where the issuer publishes its keys: https, or http on a loopback address. */
  jwksUri?: string;
  /** How long a fetched set is used before it is fetched again. @default '10 minutes' */
  jwksMaxAge?: string;
  /** How old a token may be, counted from its `iat`, however long it says it lives. @default '15 minutes' */
  maxAge?: string;
  /** By how much clocks may differ, up to 5 minutes. @default '5 seconds' */
  clockTolerance?: string;
  /** What `typ` may be. An ID token, or any other JWT of the issuer, is no access token. @default 'at+jwt' @see RFC 9068 section 2.1 */
  type?: string | readonly string[];
  /** The names of the claims that are read. @default sub, scope, tier, tenant, tools */
  claims?: Partial<ClaimNames>;
  /** Reads the agent from verified claims by itself, in place of `claims`. `undefined` refuses the token. */
  agent?: (claims: TokenClaims) => AgentFields | undefined;
  /** Tokens that are bound to a key of the agent's. @default false: a bound token is refused */
  dpop?: boolean | DpopOptions;
}

export interface ResolvedDpop {
  readonly required: boolean;
  readonly algorithms: readonly string[];
  readonly maxAgeMs: number;
}

export interface ResolvedTokens extends ResolvedTokenKeys {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly types: readonly string[];
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
  readonly claims: ClaimNames;
  readonly agent: TokensOptions['agent'];
  readonly dpop: ResolvedDpop | undefined;
}

const KNOWN = [
  'issuer',
  'audience',
  'algorithms',
  'keys',
  'secret',
  'jwksUri',
  'jwksMaxAge',
  'maxAge',
  'clockTolerance',
  'type',
  'claims',
  'agent',
  'dpop',
] as const;

/** @param resource `auth.resource` */
export function resolveTokens(option: string, input: unknown, resource?: string): ResolvedTokens | undefined {
  if (input === undefined || input === false) return undefined;
  const options = readObject(option, input, KNOWN);
  const audiences = readTexts(`${option}.audience`, options.audience ?? resource);
  const { algorithms, symmetric } = readAlgorithms(`${option}.algorithms`, options.algorithms);
  const keys = readTokenKeys(option, options, algorithms, symmetric);
  return {
    issuer: readRequired(`${option}.issuer`, options.issuer),
    audiences,
    algorithms,
    types: (options.type === undefined ? ['at+jwt'] : readTexts(`${option}.type`, options.type)).map(
      normalizeType,
    ),
    ...keys,
    maxAgeMs: readDuration(`${option}.maxAge`, options.maxAge, '15 minutes', { min: '1s', max: '31 days' }),
    clockToleranceMs: readDuration(`${option}.clockTolerance`, options.clockTolerance, '5 seconds', {
      min: '0s',
      max: '5 minutes',
    }),
    claims: readClaimNames(`${option}.claims`, options.claims),
    agent: readFunction<NonNullable<TokensOptions['agent']>>(`${option}.agent`, options.agent),
    dpop: resolveDpop(`${option}.dpop`, options.dpop),
  };
}

export const DPOP_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256'];

export function resolveDpop(option: string, input: unknown): ResolvedDpop | undefined {
  if (input === undefined || input === false) return undefined;
  const options = readObject(option, input === true ? {} : input, ['required', 'algorithms', 'maxAge']);
  const algorithms =
    options.algorithms === undefined
      ? DPOP_ALGORITHMS
      : readStringList(`${option}.algorithms`, options.algorithms, []);
  for (const [index, alg] of algorithms.entries()) {
    if (!PUBLIC_KEY_ALGORITHMS.has(alg)) throw algorithmError(`${option}.algorithms[${index}]`, alg);
  }
  return {
    required: readBoolean(`${option}.required`, options.required, false),
    algorithms,
    maxAgeMs: readDuration(`${option}.maxAge`, options.maxAge, '1 minute', { min: '5s', max: '5 minutes' }),
  };
}

function readAlgorithms(
  option: string,
  value: unknown,
): { readonly algorithms: readonly string[]; readonly symmetric: boolean } {
  const algorithms = readStringList(option, value, []);
  if (algorithms.length === 0) {
    throw receivedError(
      'ASEC_TOKEN_ALGORITHM',
      option,
      'must name the algorithms of the issuer',
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
      'must not mix secrets and public keys',
      'A public key that is taken for a secret lets everybody sign. Choose one kind.',
      value,
    );
  }
  return { algorithms, symmetric };
}

function algorithmError(option: string, value: string): AgentSecurityConfigError {
  return receivedError(
    'ASEC_TOKEN_ALGORITHM',
    option,
    'is not an algorithm for tokens',
    `Known: ${[...PUBLIC_KEY_ALGORITHMS.keys(), ...SECRET_ALGORITHMS.keys()].join(', ')}.`,
    value,
  );
}

function readClaimNames(option: string, value: unknown): ClaimNames {
  const names = readObject(option, value, ['id', 'scopes', 'tier', 'tenant', 'tools']);
  return {
    id: readString(`${option}.id`, names.id, DEFAULT_CLAIM_NAMES.id),
    scopes: readString(`${option}.scopes`, names.scopes, DEFAULT_CLAIM_NAMES.scopes),
    tier: readString(`${option}.tier`, names.tier, DEFAULT_CLAIM_NAMES.tier),
    tenant: readString(`${option}.tenant`, names.tenant, DEFAULT_CLAIM_NAMES.tenant),
    tools: readString(`${option}.tools`, names.tools, DEFAULT_CLAIM_NAMES.tools),
  };
}
