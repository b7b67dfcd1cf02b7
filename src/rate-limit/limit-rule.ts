/* One rule as users write it, `'5/minute'` or `{ limit: '5/minute', name, key, cost, algorithm }`, and as the limiter needs it. */
import type { ExecutionContext } from '@nestjs/common';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { PlatformRequest } from '../common/http-request.js';
import { isRecord, readChoice, readInteger, readObject, show } from '../common/read-options.js';
import { MAX_LIMIT, parseLimits } from './parse-limits.js';
import { type AlgorithmName, ALGORITHMS, createPolicy, type Policy } from './policy.js';

/**
 * Whom a quota belongs to.
 * - `'client'`: the verified principal if there is one, else the address
 * - `'address'`: the address, IPv6 by its /64
 * - `'global'`: everybody together
 * - a function of the request: its text names the quota; an empty text falls back to the address. The trap: a header that
 *   nobody verified is a new quota for whoever makes up a new value.
 */
export type RateLimitKey =
  | 'client'
  | 'address'
  | 'global'
  | ((
      request: PlatformRequest,
      context: ExecutionContext,
    ) => string | undefined | Promise<string | undefined>);

/** Units that a request takes: a whole number from 0, or a function of the request. */
export type RateLimitCost =
  number | ((request: PlatformRequest, context: ExecutionContext) => number | Promise<number>);

export interface RateLimitPolicyOptions {
  /** `'5/minute'`; several joined by `,` `;` or `|`. */
  limit: string;
  /** What clients see, instead of `5-per-minute`. Letters, digits and `._:/-`. */
  name?: string;
  /** @default the module's `rateLimit.key` */
  key?: RateLimitKey;
  /** @default 1 */
  cost?: RateLimitCost;
  /** @default 'sliding-window' */
  algorithm?: AlgorithmName;
  /** How much a token bucket holds. @default the limit */
  burst?: number;
}

export type RateLimitInput = string | RateLimitPolicyOptions;

/** A rule of a route or of the module, ready to be judged. */
export interface LimitRule {
  readonly policy: Policy;
  readonly key: RateLimitKey | undefined;
  readonly cost: RateLimitCost;
}

/** Each policy of a quota has a bit of its mask. */
const MAX_RULES = 16;

/** The rules of `limits` or of a `@RateLimit()`; two with one name are refused, since clients tell them apart by it. */
export function resolveRules(option: string, inputs: readonly unknown[]): readonly LimitRule[] {
  if (inputs.length === 0) {
    throw limitTypeError(option, inputs, 'names no limit');
  }
  const rules = inputs.flatMap((input, index) =>
    resolveRule(inputs.length === 1 ? option : `${option}[${index}]`, input),
  );
  if (rules.length > MAX_RULES) {
    throw limitTypeError(option, inputs, `names ${rules.length} limits, more than ${MAX_RULES}`);
  }
  const byName = new Map<string, LimitRule>();
  for (const rule of rules) {
    const earlier = byName.get(rule.policy.name);
    if (earlier === undefined) {
      byName.set(rule.policy.name, rule);
    } else if (rule.policy.named || !isSameRule(earlier, rule)) {
      throw nameError(option, rule.policy.name, 'gives two limits one name', 'Give each a name of its own.');
    }
  }
  return [...byName.values()];
}

/** Whether a rule only repeats another, as in `'10/minute, 10/minute'`. */
function isSameRule(one: LimitRule, other: LimitRule): boolean {
  const sameAlgorithm = one.policy.rule === other.policy.rule && one.policy.burst === other.policy.burst;
  return sameAlgorithm && one.key === other.key && one.cost === other.cost;
}

function resolveRule(option: string, input: unknown): LimitRule[] {
  if (typeof input === 'string') return parse(option, { limit: input });
  if (!isRecord(input)) throw limitTypeError(option, input, 'must be a limit or an object with one');
  const known = ['limit', 'name', 'key', 'cost', 'algorithm', 'burst'] as const;
  return parse(option, readObject(option, input, known));
}

function parse(option: string, input: Partial<Record<keyof RateLimitPolicyOptions, unknown>>): LimitRule[] {
  const { limit, name } = input;
  if (typeof limit !== 'string') throw limitTypeError(`${option}.limit`, limit, 'must be a limit');
  const parsed = parseLimits(typeof input.name === 'string' ? `${option}.limit` : option, limit);
  if (name !== undefined && (typeof name !== 'string' || !/^[\w.:/-]{1,64}$/.test(name))) {
    throw nameError(
      `${option}.name`,
      name,
      'must be 1 to 64 letters, digits or ._:/-',
      'Write for example "burst".',
    );
  }
  if (name !== undefined && parsed.length > 1) {
    throw nameError(
      `${option}.name`,
      name,
      'cannot name several limits',
      'Give each limit an object of its own.',
    );
  }
  const algorithm = readChoice(`${option}.algorithm`, input.algorithm, ALGORITHMS, 'sliding-window');
  const burst = readBurst(option, input.burst, algorithm);
  const key = readKey(`${option}.key`, input.key);
  const cost = readCost(`${option}.cost`, input.cost);
  return parsed.map(parts => ({
    policy: createPolicy({ name, limit: parts.limit, windowMs: parts.windowMs, algorithm, burst }),
    key,
    cost,
  }));
}

function readBurst(option: string, value: unknown, algorithm: AlgorithmName): number | undefined {
  if (value === undefined) return undefined;
  if (algorithm !== 'token-bucket') {
    throw limitTypeError(`${option}.burst`, value, 'belongs to the algorithm "token-bucket"');
  }
  return readInteger(`${option}.burst`, value, 1, { min: 1, max: MAX_LIMIT });
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
  return new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    option,
    `${problem}, received ${show(value)}`,
    'Write for example "5/minute" or { limit: "5/minute", name: "burst" }.',
    value,
  );
}

function nameError(option: string, name: unknown, problem: string, remedy: string): AgentSecurityConfigError {
  return new AgentSecurityConfigError(
    'ASEC_LIMIT_NAME',
    option,
    `${problem}, received ${show(name)}`,
    remedy,
    name,
  );
}
