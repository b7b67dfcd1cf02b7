/* One rule as users write it, `'5/minute'` or `{ limit: '5/minute', name, key, cost, algorithm }`, and as the limiter needs it. */
import type { ExecutionContext } from '@nestjs/common';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { PlatformRequest } from '../common/http-request.js';
import {
  isRecord,
  readBoolean,
  readChoice,
  readInteger,
  readObject,
  receivedError,
} from '../common/read-options.js';
import { checkLimit, MAX_LIMIT, type ParsedLimit, parseLimits } from '../limiter/parse-limits.js';
import { type AlgorithmName, ALGORITHMS, createPolicy, type Policy } from '../limiter/policy.js';

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

/**
 * A limit that is looked up: the text of it (`'100/hour'`) for the owner of a quota, who is named as `key` names it.
 * It is asked again when what it said is `limitTtlMs` old; while it fails, what it said last holds.
 */
export type RateLimitResolver = (
  partitionKey: string,
  request: PlatformRequest,
  context: ExecutionContext,
) => string | Promise<string>;

export interface RateLimitPolicyOptions {
  /**
   * `'5/minute'`; several joined by `,` `;` or `|`. With the algorithm `'concurrency'`, how many at once: `5`, or `'5/10 minutes'`
   * for leases of ten minutes (a minute otherwise). Or a function that looks it up.
   */
  limit: string | number | RateLimitResolver;
  /** What clients see, instead of `5-per-minute`. Letters, digits and `._:/-`. */
  name?: string;
  /** @default the module's `rateLimit.key` */
  key?: RateLimitKey;
  /**
   * A function is an estimate that `RateLimiter.settle()` corrects: charged before the handler runs. A number above the limit (of a
   * token bucket: above its burst) is refused, since no request would ever pass.
   * @default 1
   */
  cost?: RateLimitCost;
  /** @default 'sliding-window' */
  algorithm?: AlgorithmName;
  /** How much a token bucket holds. @default the limit */
  burst?: number;
  /** What is counted, as `qu` tells clients: `'tokens'`. @default 'requests', or 'concurrent-requests' */
  unit?: string;
  /** Judges, counts and reports, and refuses nobody. Clients are not told of it. @default false */
  shadow?: boolean;
  /**
   * Emits the event `limit.threshold` when so much has been used: shares of the limit (of a token bucket: of its burst) up to 1, or
   * numbers of units above.
   * @default []
   */
  alertAt?: readonly number[];
  /** How long a limit that was looked up holds, in milliseconds. @default 60000 */
  limitTtlMs?: number;
}

export type RateLimitInput = string | RateLimitPolicyOptions;

/** A rule of a route or of the module, ready to be judged. */
export interface LimitRule {
  readonly policy: Policy;
  readonly key: RateLimitKey | undefined;
  readonly cost: RateLimitCost;
}

/** A rule whose limit is looked up for each owner. */
export interface DynamicRule {
  readonly resolve: RateLimitResolver;
  readonly ttlMs: number;
  /** @throws AgentSecurityConfigError for a text that is no limit */
  readonly createPolicies: (limit: string) => readonly Policy[];
  readonly algorithm: AlgorithmName;
  readonly key: RateLimitKey | undefined;
  readonly cost: RateLimitCost;
}

export type AnyRule = LimitRule | DynamicRule;

export const isDynamic = (rule: AnyRule): rule is DynamicRule => 'resolve' in rule;

/** Whether a rule limits how many requests are at work at once. */
export const limitsConcurrency = (rule: AnyRule): boolean =>
  (isDynamic(rule) ? rule.algorithm : rule.policy.rule) === 'concurrency';

/** Each policy of a quota has a bit of its mask. */
const MAX_RULES = 16;

/** The rules of `limits` or of a `@RateLimit()`; two with one name are refused, since clients tell them apart by it. */
export function resolveRules(option: string, inputs: readonly unknown[]): readonly AnyRule[] {
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
    if (isDynamic(rule)) continue;
    const earlier = byName.get(rule.policy.name);
    if (earlier === undefined) {
      byName.set(rule.policy.name, rule);
    } else if (rule.policy.named || !isSameRule(earlier, rule)) {
      throw nameError(option, rule.policy.name, 'gives two limits one name', 'Give each a name of its own.');
    }
  }
  return [...byName.values(), ...rules.filter(isDynamic)];
}

/** The same where a limit must be known at once. */
export function resolvePolicies(option: string, input: unknown): readonly Policy[] {
  return resolveRules(option, [input]).map(rule => {
    if (isDynamic(rule)) throw limitTypeError(`${option}.limit`, rule.resolve, 'must be a limit');
    return rule.policy;
  });
}

/** Whether a rule only repeats another, as in `'10/minute, 10/minute'`. */
function isSameRule(one: LimitRule, other: LimitRule): boolean {
  const parts = ['rule', 'limit', 'windowMs', 'burst', 'unit', 'shadow', 'alertAt'] as const;
  const samePolicy = parts.every(part => one.policy[part] === other.policy[part]);
  return samePolicy && one.key === other.key && one.cost === other.cost;
}

const KNOWN = [
  'limit',
  'name',
  'key',
  'cost',
  'algorithm',
  'burst',
  'unit',
  'shadow',
  'alertAt',
  'limitTtlMs',
] as const;

function resolveRule(option: string, input: unknown): AnyRule[] {
  if (typeof input === 'string') return parse(option, { limit: input });
  if (!isRecord(input)) throw limitTypeError(option, input, 'must be a limit or an object with one');
  return parse(option, readObject(option, input, KNOWN));
}

function parse(option: string, input: Partial<Record<keyof RateLimitPolicyOptions, unknown>>): AnyRule[] {
  const { limit, name } = input;
  if (name !== undefined) checkPolicyName(`${option}.name`, name);
  const algorithm = readChoice(`${option}.algorithm`, input.algorithm, ALGORITHMS, 'sliding-window');
  const burst = readBurst(option, input.burst, algorithm);
  const unit = readUnit(`${option}.unit`, input.unit);
  const shadow = readBoolean(`${option}.shadow`, input.shadow, false);
  const key = readKey(`${option}.key`, input.key);
  const cost = readCost(`${option}.cost`, input.cost);
  const isLookedUp = typeof limit === 'function';
  // A mark that one owner's limit never reaches is none for that owner.
  const marksUpTo = (units: number): unknown =>
    isLookedUp && Array.isArray(input.alertAt)
      ? input.alertAt.filter(mark => !(typeof mark === 'number' && mark > Math.max(1, units)))
      : input.alertAt;
  const createPolicies = (text: string | number): readonly Policy[] => {
    const limitOption = typeof input.limit === 'string' && name === undefined ? option : `${option}.limit`;
    const parsed = algorithm === 'concurrency' ? parseSlots(limitOption, text) : parseText(limitOption, text);
    if (name !== undefined && parsed.length > 1) {
      throw nameError(
        `${option}.name`,
        name,
        'cannot name several limits',
        'Give each limit an object of its own.',
      );
    }
    return parsed.map(({ limit: units, windowMs }) => {
      const alertAt = readAlertAt(`${option}.alertAt`, marksUpTo(burst ?? units), burst ?? units);
      return createPolicy({ name, limit: units, windowMs, algorithm, burst, unit, shadow, alertAt });
    });
  };
  if (isLookedUp) {
    readAlertAt(`${option}.alertAt`, input.alertAt, MAX_LIMIT);
    const ttlMs = readInteger(`${option}.limitTtlMs`, input.limitTtlMs, 60_000, { min: 1, max: 86_400_000 });
    return [{ resolve: limit as RateLimitResolver, ttlMs, createPolicies, algorithm, key, cost }];
  }
  if (input.limitTtlMs !== undefined)
    throw limitTypeError(`${option}.limitTtlMs`, input.limitTtlMs, 'belongs to a limit that is a function');
  if (typeof limit !== 'string' && typeof limit !== 'number')
    throw limitTypeError(`${option}.limit`, limit, 'must be a limit');
  return createPolicies(limit).map(policy => {
    if (typeof cost === 'number' && cost > policy.burst) {
      throw receivedError(
        'ASEC_LIMIT_RANGE',
        `${option}.cost`,
        `must be at most ${policy.burst}, all that ${policy.text} ever gives`,
        'Raise the limit (or its burst), or lower the cost: every request would be refused.',
        cost,
      );
    }
    return { policy, key, cost };
  });
}

const DEFAULT_LEASE_MS = 60_000;

function parseText(option: string, text: string | number): readonly ParsedLimit[] {
  if (typeof text === 'number')
    throw limitTypeError(option, text, 'must be a text, unless the algorithm is "concurrency"');
  return parseLimits(option, text);
}

/** A number of slots, with or without the length of their leases. */
function parseSlots(
  option: string,
  text: string | number,
): readonly Pick<ParsedLimit, 'limit' | 'windowMs'>[] {
  if (typeof text === 'string' && !/^\d{1,10}$/.test(text.trim())) return parseLimits(option, text);
  checkLimit(option, Number(text), DEFAULT_LEASE_MS, text);
  return [{ limit: Number(text), windowMs: DEFAULT_LEASE_MS }];
}

/** As shares, ascending. */
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

/** As it stands in a structured field's string. */
function readUnit(option: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[a-z][a-z0-9-]{0,63}$/.test(value)) return value;
  throw limitTypeError(option, value, 'must be lower-case letters, digits and hyphens, such as "tokens"');
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
  return receivedError(
    'ASEC_OPTION_TYPE',
    option,
    problem,
    'Write for example "5/minute" or { limit: "5/minute", name: "burst" }.',
    value,
  );
}

/** A name stands in headers, between quotes. */
export function checkPolicyName(option: string, name: unknown): asserts name is string {
  if (typeof name === 'string' && /^[\w.:/-]{1,64}$/.test(name)) return;
  throw nameError(option, name, 'must be 1 to 64 letters, digits or ._:/-', 'Write for example "burst".');
}

function nameError(option: string, name: unknown, problem: string, remedy: string): AgentSecurityConfigError {
  return receivedError('ASEC_LIMIT_NAME', option, problem, remedy, name);
}
