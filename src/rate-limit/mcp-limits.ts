/* The limits of MCP endpoints. A call takes from the limits of calls; the messages that a client sends to be able to call (the handshake,
 * lists, notifications, streams) take from a wider quota of their own. docs/rate-limits.md#mcp says how the numbers were chosen. */
import { MAX_LIMIT } from '../limiter/parse-limits.js';
import { type Policy, REQUESTS } from '../limiter/policy.js';
import { type AnyRule, isDynamic, limitsConcurrency } from './limit-rule.js';
import { createPolicy } from '../limiter/create-policy.js';

/** In place of the default of `limits`: an agent makes its calls in bursts, one for each turn of its model. */
export const DEFAULT_CALL_LIMITS = ['30/second', '100/minute'];

/** How many protocol messages a client may send for each call that its limits allow. */
const MESSAGES_PER_CALL = 5;

/** The quota of protocol messages that belongs to the limits of calls. Concurrency limits are left out: they are shared with calls. */
export function widenRules(rules: readonly AnyRule[]): readonly AnyRule[] {
  return rules.flatMap((rule): AnyRule[] => {
    if (limitsConcurrency(rule)) return [];
    if (isDynamic(rule))
      return [{ ...rule, cost: 1, createPolicies: limit => rule.createPolicies(limit).map(widen) }];
    // A message uses no other unit, such as tokens.
    return rule.policy.unit === REQUESTS ? [{ ...rule, cost: 1, policy: widen(rule.policy) }] : [];
  });
}

const widen = ({ name, named, limit, windowMs, blockMs, algorithm, burst, unit, shadow }: Policy): Policy =>
  createPolicy({
    name: named ? name : undefined,
    limit: Math.min(limit * MESSAGES_PER_CALL, MAX_LIMIT),
    windowMs,
    blockMs,
    algorithm,
    burst: Math.min(burst * MESSAGES_PER_CALL, MAX_LIMIT),
    unit,
    shadow,
  });
