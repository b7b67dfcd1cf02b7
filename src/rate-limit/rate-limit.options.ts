import type { ExecutionContext } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { PlatformRequest } from '../common/http-request.js';
import {
  isRecord,
  readBoolean,
  readChoice,
  type ReadEnvironment,
  readInteger,
  readObject,
  readPaths,
  show,
} from '../common/read-options.js';
import { MAX_LIMIT, parseLimits } from './parse-limits.js';
import { type AlgorithmName, ALGORITHMS, createPolicy, type Policy } from './policy.js';
import type { QuotaStore } from './quota-store.js';
import { ThrottlerQuotaStore } from './throttler-store.js';

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

export const STORE_ERROR_POLICIES = ['local', 'allow', 'deny'] as const;
export type StoreErrorPolicy = (typeof STORE_ERROR_POLICIES)[number];

export interface RateLimitOptions {
  /**
   * One quota per client over all routes. A route's `@RateLimit()` replaces it there.
   * @default ['10/second', '100/minute'] (environment: `RATE_LIMIT`)
   */
  limits?: false | RateLimitInput | readonly RateLimitInput[];
  /**
   * A limit per address on every request, counted in front of everything else: 404s, routes of other libraries, refused
   * credentials. `false` switches it off.
   * @default '100/second'
   */
  flood?: false | string;
  /** Whom the module's limits belong to. @default 'client' */
  key?: RateLimitKey;
  /** Exact paths that are not limited, such as `/healthz`. @default [] */
  exemptPaths?: readonly string[];
  /**
   * Counts that several processes share: a `QuotaStore`, which judges all policies of a request together, or a storage of
   * @nestjs/throttler's interface, which judges one after the other.
   * @default in the process's own memory
   */
  store?: QuotaStore | ThrottlerStorage;
  /**
   * What happens while the store fails or takes longer than 100 ms: `'local'` limits by the process's own counts, `'allow'`
   * lets everything through but floods, `'deny'` answers 503.
   * @default 'local'
   */
  onStoreError?: StoreErrorPolicy;
  /** Sends X-RateLimit-* and RateLimit on answers. A 429 carries Retry-After in any case. @default true */
  headers?: boolean;
  /** Judges and counts, and refuses nobody: for trying limits on real traffic. `flood` still refuses. @default false */
  shadow?: boolean;
  /**
   * Clients that one quota holds in memory. At the bound the least active give way, and nobody who has used up a limit.
   * @default 250000
   */
  maxClients?: number;
}

/** A rule of a route or of the module, ready to be judged. */
export interface LimitRule {
  readonly policy: Policy;
  readonly key: RateLimitKey | undefined;
  readonly cost: RateLimitCost;
}

export interface ResolvedRateLimit {
  readonly limits: readonly LimitRule[];
  readonly flood: Policy | undefined;
  readonly key: RateLimitKey;
  readonly exemptPaths: ReadonlySet<string>;
  readonly store: QuotaStore | undefined;
  /** What subclasses of ThrottlerGuard see as their storage, where the user gave one. */
  readonly throttlerStorage: ThrottlerStorage | undefined;
  readonly onStoreError: StoreErrorPolicy;
  readonly headers: boolean;
  readonly shadow: boolean;
  readonly maxClients: number;
}

export const RESOLVED_RATE_LIMIT = Symbol('agent-security:rate-limit');

const DEFAULT_LIMITS = ['10/second', '100/minute'];
const DEFAULT_FLOOD = '100/second';
const MAX_CLIENTS = { min: 1, max: 100_000_000 };

export function resolveRateLimit(input: unknown, env: ReadEnvironment): ResolvedRateLimit | false {
  if (input === false) return false;
  const options = readObject('rateLimit', input ?? {}, [
    'limits',
    'flood',
    'key',
    'exemptPaths',
    'store',
    'onStoreError',
    'headers',
    'shadow',
    'maxClients',
  ]);
  const fromEnvironment = options.limits === undefined ? env('RATE_LIMIT')?.trim() || undefined : undefined;
  const limitsOption = fromEnvironment === undefined ? 'rateLimit.limits' : 'RATE_LIMIT';
  const limits = options.limits ?? fromEnvironment ?? DEFAULT_LIMITS;
  const flood = options.flood ?? DEFAULT_FLOOD;
  return {
    limits: limits === false ? [] : resolveRules(limitsOption, Array.isArray(limits) ? limits : [limits]),
    flood: flood === false ? undefined : resolveFlood(flood),
    key: readKey('rateLimit.key', options.key) ?? 'client',
    exemptPaths: readPaths('rateLimit.exemptPaths', options.exemptPaths),
    ...readStore(options.store),
    onStoreError: readChoice('rateLimit.onStoreError', options.onStoreError, STORE_ERROR_POLICIES, 'local'),
    headers: readBoolean('rateLimit.headers', options.headers, true),
    shadow: readBoolean('rateLimit.shadow', options.shadow, false),
    maxClients: readInteger('rateLimit.maxClients', options.maxClients, 250_000, MAX_CLIENTS),
  };
}

/** The rules of `limits` or of a `@RateLimit()`; two with one name are refused, since clients tell them apart by it. */
export function resolveRules(option: string, inputs: readonly unknown[]): readonly LimitRule[] {
  if (inputs.length === 0) {
    throw limitTypeError(option, inputs, 'names no limit');
  }
  const rules = inputs.flatMap((input, index) =>
    resolveRule(inputs.length === 1 ? option : `${option}[${index}]`, input),
  );
  const byName = new Map<string, LimitRule>();
  for (const rule of rules) {
    const earlier = byName.get(rule.policy.name);
    if (earlier === undefined) {
      byName.set(rule.policy.name, rule);
    } else if (rule.policy.named || earlier.key !== rule.key || earlier.cost !== rule.cost) {
      throw nameError(option, rule.policy.name, 'gives two limits one name', 'Give each a name of its own.');
    }
  }
  return [...byName.values()];
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

function readKey(option: string, value: unknown): RateLimitKey | undefined {
  if (value === undefined || typeof value === 'function') return value as RateLimitKey | undefined;
  return readChoice(option, value, ['client', 'address', 'global'] as const, 'client');
}

function readCost(option: string, value: unknown): RateLimitCost {
  if (typeof value === 'function') return value as RateLimitCost;
  return readInteger(option, value, 1, { min: 0, max: MAX_LIMIT });
}

function resolveFlood(value: unknown): Policy {
  if (typeof value !== 'string') throw limitTypeError('rateLimit.flood', value, 'must be a limit or false');
  const parsed = parseLimits('rateLimit.flood', value);
  if (parsed.length > 1) throw limitTypeError('rateLimit.flood', value, 'must be one limit');
  return createPolicy({ name: 'flood', limit: parsed[0]!.limit, windowMs: parsed[0]!.windowMs });
}

function readStore(value: unknown): Pick<ResolvedRateLimit, 'store' | 'throttlerStorage'> {
  if (value === undefined) return { store: undefined, throttlerStorage: undefined };
  if (isRecord(value) && typeof value['judge'] === 'function') {
    return { store: value as unknown as QuotaStore, throttlerStorage: undefined };
  }
  if (isRecord(value) && typeof value['increment'] === 'function') {
    const throttlerStorage = value as unknown as ThrottlerStorage;
    return { store: new ThrottlerQuotaStore(throttlerStorage), throttlerStorage };
  }
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    'rateLimit.store',
    `must be a QuotaStore or a ThrottlerStorage, received ${show(value)}`,
    'Pass an object with the method judge(charges), or increment(key, ttl, limit, blockDuration, name).',
    value,
  );
}

function limitTypeError(option: string, value: unknown, problem: string): AgentSecurityConfigError {
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

/** What `rateLimit: false` leaves: no limit of its own, and the RateLimiter for limiting by hand. */
export const RATE_LIMIT_OFF: ResolvedRateLimit = {
  limits: [],
  flood: undefined,
  key: 'client',
  exemptPaths: new Set(),
  store: undefined,
  throttlerStorage: undefined,
  onStoreError: 'local',
  headers: false,
  shadow: false,
  maxClients: 250_000,
};
