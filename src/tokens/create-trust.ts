/* Creates the rules by which an issuer's tokens are verified, from the options. */
import type { Clock } from '../common/clock.js';
import { type DpopRules, ReplayMemory } from './dpop.js';
import { fetchKeys, fixedKeys, KeySet } from './key-set.js';
import { readAgent, type TokenClaims } from './token-claims.js';
import type { TokenTrust } from './token-verifier.js';
import type { ResolvedDpop, ResolvedTokens } from './tokens.options.js';

/** How long a fetched set is used beyond its maximum age while its issuer does not answer. */
const STALE_MS = 3_600_000;
/** The least time between two fetches, whatever key IDs tokens name: clients must not be able to cause requests to the issuer. */
const COOLDOWN_MS = 30_000;

/** A remote key set is fetched with the first token, so that an app starts while its issuer does not answer. */
export function createTrust(
  { keys, jwks, claims: names, agent, dpop, ...rules }: ResolvedTokens,
  clock: Clock,
  warn: (message: string) => void,
  isRevoked: TokenTrust['isRevoked'],
): TokenTrust {
  return {
    ...rules,
    keys:
      jwks === undefined
        ? fixedKeys(keys)
        : new KeySet(
            () => fetchKeys(jwks.uri),
            {
              maxAgeMs: jwks.maxAgeMs,
              cooldownMs: COOLDOWN_MS,
              staleMs: jwks.maxAgeMs + STALE_MS,
              patient: false,
            },
            () => clock.monotonicMs(),
            warn,
          ),
    dpop: createDpopRules(dpop, rules.clockToleranceMs),
    toAgent: agent ?? ((claims: TokenClaims) => readAgent(claims, names)),
    isRevoked,
  };
}

export function createDpopRules(
  dpop: ResolvedDpop | undefined,
  clockToleranceMs: number,
): DpopRules | undefined {
  if (dpop === undefined) return undefined;
  // A proof whose `iat` lies in the future by the tolerance is valid for the longest time.
  const seen = new ReplayMemory(dpop.maxAgeMs + 2 * clockToleranceMs);
  return { ...dpop, clockToleranceMs, seen };
}
