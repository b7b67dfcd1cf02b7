/* Checks the tiers of the agents that are known at start-up: an agent of a misspelt tier would get the default limits. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { nearestName } from '../common/read-options.js';
import { showName } from '../common/show-value.js';
import type { AgentRecord } from '../identity/api-key-store.js';

/**
 * @param origin the option or variable of the keys
 * @throws AgentSecurityConfigError for a tier that `rateLimit.tiers` does not name
 */
export function checkTiers(origin: string, agents: Iterable<AgentRecord>, tiers: readonly string[]): void {
  for (const { id, tier } of agents) {
    if (tier === undefined || tiers.includes(tier)) continue;
    const near = nearestName(tier, tiers);
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      origin,
      `gives the agent ${showName(id)} the tier ${showName(tier)}, which rateLimit.tiers does not name`,
      near === undefined ? `Known tiers: ${tiers.map(showName).join(', ')}.` : `Did you mean "${near}"?`,
    );
  }
}
