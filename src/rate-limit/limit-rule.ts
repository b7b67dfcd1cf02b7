/* Resolves one limit as users write it, `'5/minute'` or `{ limit: '5/minute', name, key, cost, algorithm }`, to the rule of a guard. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  asGiven,
  boolean,
  choice,
  integer,
  optional,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import { isRecord, readChoice, readInteger, receivedError } from '../common/read-options.js';
import { checkLimit, MAX_LIMIT, type ParsedLimit, parseLimits } from '../limiter/parse-limits.js';
import { type AlgorithmName, ALGORITHMS, type Policy } from '../limiter/policy.js';
import type { RateLimitPolicyOptions } from './policy-options.js';
import { createPolicy } from '../limiter/create-policy.js';
import type { RateLimitCost, RateLimitKey, RateLimitResolver } from './limit-functions.js';
import { FOREIGN_LIMIT } from './foreign-limits.js';

/** A limit of a route or of the module. */
export interface LimitRule {
  readonly policy: Policy;
  readonly key: RateLimitKey | undefined;
  readonly cost: RateLimitCost;
}

/** A dynamic limit: resolved for each partition key at run time. */
export interface DynamicRule {
  readonly resolve: RateLimitResolver;
  readonly ttlMs: number;
  /** @throws AgentSecurityConfigError for an invalid limit */
  readonly createPolicies: (limit: string) => readonly Policy[];
  readonly algorithm: AlgorithmName;
  readonly key: RateLimitKey | undefined;
  readonly cost: RateLimitCost;
}

export type AnyRule = LimitRule | DynamicRule;

export const isDynamic = (rule: AnyRule): rule is DynamicRule => 'resolve' in rule;

/** Whether a rule is a concurrency limit. */
export const limitsConcurrency = (rule: AnyRule): boolean =>
  (isDynamic(rule) ? rule.algorithm : rule.policy.algorithm) === 'concurrency';

/** Each policy of a quota has one bit of its mask. */
const MAX_RULES = 16;

/** The rules of `limits` or of a `@RateLimit()`. Two of one name are rejected: clients distinguish limits by it. */
export function resolveRules(option: string, inputs: readonly unknown[]): readonly AnyRule[] {
  if (inputs.length === 0) throw limitTypeError(option, inputs, 'names no limit');
  const rules = inputs.flatMap((input, index) =>
    resolveRule(inputs.length === 1 ? option : `${option}[${index}]`, input),
  );
  if (rules.length > MAX_RULES)
    throw limitTypeError(option, inputs, `names ${rules.length} limits, more than ${MAX_RULES}`);
  const byName = new Map<string, LimitRule>();
  for (const rule of rules) {
    if (isDynamic(rule)) continue;
    const earlier = byName.get(rule.policy.name);
    if (earlier === undefined) byName.set(rule.policy.name, rule);
    else if (rule.policy.named || !isSameRule(earlier, rule))
      throw nameError(option, rule.policy.name, 'gives two limits one name', 'Give each a name of its own.');
  }
  return [...byName.values(), ...rules.filter(isDynamic)];
}

/** The policies of a limit that must not be dynamic. */
export function resolvePolicies(option: string, input: unknown): readonly Policy[] {
  return resolveRules(option, [input]).map(rule => {
    if (isDynamic(rule)) throw limitTypeError(`${option}.limit`, rule.resolve, 'must be a limit');
    return rule.policy;
  });
}

/** Whether a rule repeats another, as in `'10/minute, 10/minute'`. */
function isSameRule(one: LimitRule, other: LimitRule): boolean {
  const parts = ['algorithm', 'limit', 'windowMs', 'burst', 'unit', 'shadow', 'alertAt'] as const;
  const samePolicy = parts.every(part => one.policy[part] === other.policy[part]);
  return samePolicy && one.key === other.key && one.cost === other.cost;
}

const POLICY = {
  limit: asGiven,
  name: optional(readPolicyName),
  key: readKey,
  cost: readCost,
  algorithm: choice(ALGORITHMS, 'sliding-window'),
  burst: optional(integer(1, 1, MAX_LIMIT)),
  unit: optional(readUnit),
  shadow: boolean(false),
  alertAt: asGiven,
  limitTtlMs: optional(integer(60_000, 1, 86_400_000)),
} satisfies OptionTable<RateLimitPolicyOptions>;

function resolveRule(option: string, input: unknown): AnyRule[] {
  const isText = typeof input === 'string';
  if (!isText && !isRecord(input))
    throw limitTypeError(option, input, 'must be a limit or an object with one');
  const options = readTable(option, isText ? { limit: input } : input, POLICY, FOREIGN_LIMIT);
  const { limit, key, cost, algorithm, burst, alertAt, limitTtlMs } = options;
  if (burst !== undefined && algorithm !== 'token-bucket')
    throw limitTypeError(`${option}.burst`, burst, 'belongs to the algorithm "token-bucket"');
  if (typeof limit === 'function') {
    readAlertAt(`${option}.alertAt`, alertAt, MAX_LIMIT);
    const createPolicies = (text: string): readonly Policy[] => createPoliciesOf(option, options, text, true);
    const resolve = limit as RateLimitResolver;
    return [{ resolve, ttlMs: limitTtlMs ?? 60_000, createPolicies, algorithm, key, cost }];
  }
  if (limitTtlMs !== undefined)
    throw limitTypeError(`${option}.limitTtlMs`, limitTtlMs, 'belongs to a limit that is a function');
  if (typeof limit !== 'string' && typeof limit !== 'number')
    throw limitTypeError(`${option}.limit`, limit, 'must be a limit');
  return createPoliciesOf(option, options, limit, false).map(policy => {
    if (typeof cost === 'number' && cost > policy.burst) {
      throw receivedError(
        'ASEC_LIMIT_RANGE',
        `${option}.cost`,
        `must be at most ${policy.burst}, all that ${policy.text} ever gives`,
        'Raise the limit (or its burst), or lower the cost: every request would be denied.',
        cost,
      );
    }
    return { policy, key, cost };
  });
}

/** The policies of one limit text. */
function createPoliciesOf(
  option: string,
  { limit, name, algorithm, burst, unit, shadow, alertAt }: Resolved<typeof POLICY>,
  text: string | number,
  isDynamicLimit: boolean,
): readonly Policy[] {
  const limitOption = typeof limit === 'string' && name === undefined ? option : `${option}.limit`;
  const parsed =
    algorithm === 'concurrency' ? parseConcurrency(limitOption, text) : parseText(limitOption, text);
  const remedy = 'Give each limit an object of its own.';
  if (name !== undefined && parsed.length > 1)
    throw nameError(`${option}.name`, name, 'cannot name several limits', remedy);
  return parsed.map(({ limit: units, windowMs }) => {
    const capacity = burst ?? units;
    // A dynamic limit may be lower than some marks: such a client never reaches them.
    const isReachable = (mark: unknown): boolean =>
      !(typeof mark === 'number' && mark > Math.max(1, capacity));
    const marks = isDynamicLimit && Array.isArray(alertAt) ? alertAt.filter(isReachable) : alertAt;
    const shares = readAlertAt(`${option}.alertAt`, marks, capacity);
    return createPolicy({ name, limit: units, windowMs, algorithm, burst, unit, shadow, alertAt: shares });
  });
}

const DEFAULT_LEASE_MS = 60_000;

function parseText(option: string, text: string | number): readonly ParsedLimit[] {
  if (typeof text === 'number')
    throw limitTypeError(option, text, 'must be a text, unless the algorithm is "concurrency"');
  return parseLimits(option, text);
}

/** A number of concurrent requests, with or without the length of their leases. */
function parseConcurrency(option: string, text: string | number): readonly ParsedLimit[] {
  if (typeof text === 'string' && !/^\d{1,10}$/.test(text.trim())) return parseLimits(option, text);
  checkLimit(option, Number(text), DEFAULT_LEASE_MS, text);
  return [{ limit: Number(text), windowMs: DEFAULT_LEASE_MS }];
}

/** Shares of the limit, ascending. */
function readAlertAt(option: string, value: unknown, limit: number): readonly number[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value))
    throw limitTypeError(option, value, 'must be a list of shares, such as [0.8, 1]');
  for (const [index, item] of value.entries()) {
    const isShare = typeof item === 'number' && item > 0 && item <= 1;
    const isCount = typeof item === 'number' && Number.isInteger(item) && item > 1 && item <= limit;
    if (!isShare && !isCount) {
      throw receivedError(
        'ASEC_OPTION_RANGE',
        `${option}[${index}]`,
        `must be a share of the limit (above 0, up to 1) or a number of units up to ${limit}`,
        'Write for example [0.8, 1].',
        item,
      );
    }
  }
  const shares = (value as number[]).map(item => (item > 1 ? item / limit : item));
  return shares.length === 0 ? undefined : [...new Set(shares)].toSorted((one, other) => one - other);
}

/** It is sent in a string of a structured field (RFC 9651). */
function readUnit(option: string, value: unknown): string {
  if (typeof value === 'string' && /^[a-z][a-z0-9-]{0,63}$/.test(value)) return value;
  throw limitTypeError(option, value, 'must be lower-case letters, digits and hyphens, such as "tokens"');
}

export function readKey(option: string, value: unknown): RateLimitKey | undefined {
  if (value === undefined || typeof value === 'function') return value as RateLimitKey | undefined;
  return readChoice(option, value, ['client', 'address', 'global'] as const, 'client');
}

function readCost(option: string, value: unknown): RateLimitCost {
  if (typeof value === 'function') return value as RateLimitCost;
  return readInteger(option, value, 1, { min: 0, max: MAX_LIMIT });
}

export function limitTypeError(option: string, value: unknown, problem: string): AgentSecurityConfigError {
  return receivedError(
    'ASEC_OPTION_TYPE',
    option,
    problem,
    Number.isInteger(value)
      ? `Write for example "${Number(value)}/minute".`
      : 'Write for example "5/minute" or { limit: "5/minute", name: "burst" }.',
    value,
  );
}

/** It is sent in headers, between quotes. */
export function readPolicyName(option: string, name: unknown): string {
  if (typeof name === 'string' && /^[\w.:/-]{1,64}$/.test(name)) return name;
  throw nameError(option, name, 'must be 1 to 64 letters, digits or ._:/-', 'Write for example "burst".');
}

function nameError(option: string, name: unknown, problem: string, remedy: string): AgentSecurityConfigError {
  return receivedError('ASEC_LIMIT_NAME', option, problem, remedy, name);
}
