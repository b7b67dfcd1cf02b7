/* Creates the rules by which an issuer's tokens are verified, from the options. */
import type { Clock } from '../common/clock.js';
import type { DpopRules } from './dpop.js';
import { FixedKeys, KeySet, type TokenKeys, fetchKeys } from './key-set.js';
import { ReplayMemory } from './token-cache.js';
import { readAgent, type TokenClaims } from './token-agent.js';
import type { TokenTrust } from './token-verifier.js';
import type { ResolvedDpop, ResolvedTokens } from './tokens.options.js';

/** How long a fetched set is used beyond its maximum age while its issuer does not answer. */
const STALE_MS = 3_600_000;
/** The least time between two fetches, whatever key IDs tokens name: clients must not be able to cause requests to the issuer. */
const COOLDOWN_MS = 30_000;
const FETCH_TIMEOUT_MS = 5_000;

export function createTrust(
  tokens: ResolvedTokens,
  clock: Clock,
  warn: (message: string) => void,
  isRevoked: TokenTrust['isRevoked'],
): TokenTrust {
  const { issuer, audiences, algorithms, types, maxAgeMs, clockToleranceMs, claims: names, agent } = tokens;
  return {
    issuer,
    audiences,
    algorithms,
    types,
    maxAgeMs,
    clockToleranceMs,
    keys: createTokenKeys(tokens, clock, warn),
    dpop: createDpopRules(tokens.dpop, clockToleranceMs),
    toAgent: agent ?? ((claims: TokenClaims) => readAgent(claims, names)),
    isRevoked,
  };
}

/** A remote set is fetched with the first token, so that an app starts while its issuer does not answer. */
function createTokenKeys(
  { keys, jwks }: ResolvedTokens,
  clock: Clock,
  warn: (message: string) => void,
): TokenKeys {
  if (jwks === undefined) return new FixedKeys(keys);
  const { uri, maxAgeMs } = jwks;
  const times = { maxAgeMs, cooldownMs: COOLDOWN_MS, staleMs: maxAgeMs + STALE_MS, patient: false };
  return new KeySet(
    () => fetchKeys(uri, FETCH_TIMEOUT_MS),
    times,
    () => clock.monotonicMs(),
    warn,
  );
}

export function createDpopRules(
  dpop: ResolvedDpop | undefined,
  clockToleranceMs: number,
): DpopRules | undefined {
  if (dpop === undefined) return undefined;
  const { required, algorithms, maxAgeMs } = dpop;
  // A proof whose `iat` lies in the future by the tolerance is valid for the longest time.
  const seen = new ReplayMemory(maxAgeMs + 2 * clockToleranceMs);
  return { required, algorithms, maxAgeMs, clockToleranceMs, seen };
}
