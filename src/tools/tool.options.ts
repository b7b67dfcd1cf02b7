import { AgentSecurityConfigError } from '../common/config-error.js';
import { isScope } from '../identity/create-agent.js';
import { type Impact, IMPACTS } from '../common/impact.js';
import { asGiven, choice, list, type OptionTable, readTable, texts } from '../common/option-table.js';
import { isRecord, readObject, receivedError } from '../common/read-options.js';
import type { AlgorithmName, Policy } from '../limiter/policy.js';
import { FOREIGN_LIMIT } from '../rate-limit/foreign-limits.js';
import { isDynamic, limitTypeError, resolveRules } from '../rate-limit/limit-rule.js';
import { readToolName } from './name-pattern.js';
import type { Tool, ToolAlert } from './tool.js';

/**
 * A limit string, or one with an algorithm.
 * @example
 * const limit: ToolLimit = { limit: '100/hour', algorithm: 'token-bucket', burst: 10 };
 */
export type ToolLimit =
  string | { limit: string; algorithm?: Exclude<AlgorithmName, 'concurrency'>; burst?: number };

/**
 * What a tool requires, and what its audit records show.
 * @example
 * const options: AgentToolOptions = { limit: '100/hour', scopes: ['users:delete'], impact: 'high', redact: ['email'] };
 */
export interface AgentToolOptions {
  /** How often one agent may call the tool, in addition to the limits of the module and the route. Calls over it get 429. @default none */
  limit?: ToolLimit | readonly ToolLimit[];
  /**
   * When an agent's use of the limit raises the event `tool.threshold`: shares of it (up to 1) or numbers of calls (above 1).
   * `limit: '1000/hour', alertAt: [100]` emits it at the 100th call within an hour.
   * @default none
   */
  alertAt?: readonly number[];
  /** The scopes that the agent must have, all of them. Calls without them get 403 `insufficient_scope`. @default none */
  scopes?: readonly string[];
  /**
   * The possible damage of a call: `'low'`, `'medium'`, or `'high'` for calls that cannot be undone, cost money, or change data of other
   * users. The audit record of a call of impact `'high'` is written before the handler runs; if it cannot be written, the call gets 503
   * `audit_unavailable`.
   * @default 'low'
   */
  impact?: Impact;
  /**
   * Names of parameters that audit records do not show, at any depth, in addition to those of `audit.redactKeys`, passwords, secrets and
   * the like.
   * @default none
   */
  redact?: readonly string[];
}

const TABLE = {
  // Both are read with the tool's name.
  limit: asGiven,
  alertAt: asGiven,
  scopes: list(readScope),
  impact: choice(IMPACTS, 'low'),
  redact: texts(),
} satisfies OptionTable<AgentToolOptions>;

/** @throws AgentSecurityConfigError for the first part that is wrong */
export function resolveTool(option: string, name: unknown, input: unknown): Tool {
  return resolveToolOptions(option, readToolName(`${option} name`, name), input);
}

/** The same for a name that was checked, or a pattern. */
export function resolveToolOptions(option: string, name: string, input: unknown): Tool {
  const { limit, alertAt, ...rest } = readTable(option, input, TABLE);
  const policies = readPolicies(`${option}.limit`, name, limit);
  const tool = { name, policies, alerts: readAlerts(`${option}.alertAt`, alertAt, policies), ...rest };
  if (isRecord(input) && input['impact'] !== undefined) WITH_IMPACT.add(tool);
  return tool;
}

/** The tools whose impact is declared: a default of `low` does not tell. */
const WITH_IMPACT = new WeakSet<Tool>();

export const declaresImpact = (tool: Tool): boolean => WITH_IMPACT.has(tool);

function readPolicies(option: string, tool: string, value: unknown): readonly Policy[] {
  if (value === undefined) return [];
  const inputs: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const [index, input] of inputs.entries()) {
    if (!isRecord(input)) continue;
    const place = inputs.length === 1 ? option : `${option}[${index}]`;
    const { limit, algorithm } = readObject(place, input, ['limit', 'algorithm', 'burst'], FOREIGN_LIMIT);
    if (typeof limit !== 'string') throw limitTypeError(`${place}.limit`, limit, 'must be a limit');
    if (algorithm === 'concurrency') {
      throw limitTypeError(
        `${place}.algorithm`,
        algorithm,
        'cannot be "concurrency", which @RateLimit() counts',
      );
    }
  }
  return resolveRules(option, inputs).flatMap(rule => {
    // None is: each limit is a text.
    if (isDynamic(rule)) return [];
    const { policy } = rule;
    // Clients see the tool's limit beside the module's, which may be the same numbers.
    return { ...policy, name: `${tool}/${policy.name}`, named: true };
  });
}

function readAlerts(option: string, value: unknown, policies: readonly Policy[]): readonly ToolAlert[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw alertError(option, value, 'must be a list of shares or numbers of calls');
  if (policies.length === 0) throw alertError(option, value, 'needs a limit of the tool');
  return value.flatMap((threshold: unknown, index) => {
    const place = `${option}[${index}]`;
    if (
      typeof threshold !== 'number' ||
      !(threshold > 0) ||
      (threshold > 1 && !Number.isSafeInteger(threshold))
    )
      throw alertError(
        place,
        threshold,
        'must be a share above 0 and up to 1, or a whole number of calls above 1',
      );
    const alerts = policies
      .map(policy => ({
        policy,
        threshold,
        calls: threshold <= 1 ? Math.ceil(threshold * policy.limit) : threshold,
      }))
      .filter(({ policy, calls }) => calls <= policy.limit);
    if (alerts.length === 0) throw alertError(place, threshold, 'is above every limit of the tool');
    return alerts;
  });
}

function alertError(option: string, value: unknown, problem: string): AgentSecurityConfigError {
  return receivedError(
    'ASEC_TOOL_ALERT',
    option,
    problem,
    'Write for example limit: "1000/hour" with alertAt: [100], or [0.8, 1].',
    value,
  );
}

function readScope(option: string, scope: unknown): string {
  if (isScope(scope)) return scope;
  throw receivedError(
    'ASEC_TOOL_SCOPE',
    option,
    'must be a scope of RFC 6749',
    'Write for example "users:delete": printable characters without space, quote or backslash.',
    scope,
  );
}
