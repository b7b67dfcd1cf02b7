/* From what the options say of an issuer to what its tokens are verified with. */
import type { Clock } from '../common/clock.js';
import type { DpopRules } from './dpop.js';
import { FixedKeys, KeySet, type TokenKeys } from './key-set.js';
import { fetchKeys } from './remote-keys.js';
import { ReplayMemory } from './replay-memory.js';
import { readAgent, type TokenClaims } from './token-agent.js';
import type { TokenTrust } from './token-verifier.js';
import type { ResolvedDpop, ResolvedTokens } from './tokens.options.js';

/** How long a fetched set holds beyond its age while its issuer does not answer. */
const STALE_MS = 3_600_000;

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
    keys: openKeys(tokens, clock, warn),
    dpop: openDpop(tokens.dpop, clockToleranceMs),
    toAgent: agent ?? ((claims: TokenClaims) => readAgent(claims, names)),
    isRevoked,
  };
}

/** Fetched with the first token, so that an app starts also while its issuer does not answer. */
function openKeys({ keys, jwks }: ResolvedTokens, clock: Clock, warn: (message: string) => void): TokenKeys {
  if (jwks === undefined) return new FixedKeys(keys);
  const { uri, maxAgeMs, cooldownMs, timeoutMs } = jwks;
  const times = { maxAgeMs, cooldownMs, staleMs: maxAgeMs + STALE_MS, patient: false };
  return new KeySet(
    () => fetchKeys(uri, timeoutMs),
    times,
    () => clock.monotonicMs(),
    warn,
  );
}

export function openDpop(dpop: ResolvedDpop | undefined, clockToleranceMs: number): DpopRules | undefined {
  if (dpop === undefined) return undefined;
  const { required, algorithms, maxAgeMs, maxProofs } = dpop;
  // A proof from the edge of the future can be shown until it is too old.
  const seen = new ReplayMemory(maxAgeMs + 2 * clockToleranceMs, maxProofs);
  return { required, algorithms, maxAgeMs, clockToleranceMs, seen };
}
