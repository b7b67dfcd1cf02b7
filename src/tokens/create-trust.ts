/* Creates the rules by which an issuer's tokens are verified, from the options. */
import type { Clock } from '../common/clock.js';
import { joinKey } from '../common/join-key.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import { type DpopRules, ReplayMemory, type UsedProofs } from './dpop.js';
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
  memory: SharedMemory,
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
    dpop: createDpopRules(dpop, rules.clockToleranceMs, rules.issuer, memory),
    toAgent: agent ?? ((claims: TokenClaims) => readAgent(claims, names)),
    isRevoked,
  };
}

/** The memory that all processes share, if there is one. */
export type SharedMemory = Pick<QuotaEngine, 'remember'>;

/** @param place where the proofs are used: a proof for the token endpoint says nothing about one for the API */
export function createDpopRules(
  dpop: ResolvedDpop | undefined,
  clockToleranceMs: number,
  place: string,
  memory: SharedMemory,
): DpopRules | undefined {
  if (dpop === undefined) return undefined;
  // A proof whose `iat` lies in the future by the tolerance is valid for the longest time.
  const windowMs = dpop.maxAgeMs + 2 * clockToleranceMs;
  const own = new ReplayMemory(windowMs);
  const seen: UsedProofs = {
    // The own memory first: it bounds what one holder can store, and answers a replay in this process without a round trip.
    add: async (holder, id, nowMs) => {
      if (!own.add(holder, id, nowMs)) return false;
      const isNew = await memory.remember(joinKey('dpop', place, id), windowMs);
      if (isNew === 'unavailable')
        throw new Error('the rate-limit store fails, so a used DPoP proof cannot be detected');
      return isNew;
    },
  };
  return { ...dpop, clockToleranceMs, seen };
}
