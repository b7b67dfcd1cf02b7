import type { ExecutionContext } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { PlatformRequest } from '../common/http-request.js';
import {
  isRecord,
  readBoolean,
  readChoice,
  type ReadEnvironment,
  readFunction,
  readInteger,
  readObject,
  readPaths,
  receivedError,
  rejectMissing,
} from '../common/read-options.js';
import { showName } from '../common/show-value.js';
import {
  type AnyRule,
  limitTypeError,
  type RateLimitInput,
  type RateLimitKey,
  readKey,
  resolveRules,
} from './limit-rule.js';
import { parseLimits } from '../limiter/parse-limits.js';
import { createPolicy, type Policy } from '../limiter/policy.js';
import { readRedisUrl } from '../common/redis-url.js';
import type { QuotaStore } from '../limiter/store/quota-store.js';
import { ThrottlerQuotaStore } from '../limiter/store/throttler-store.js';

export const STORE_ERROR_POLICIES = ['local', 'allow', 'deny'] as const;
export type StoreErrorPolicy = (typeof STORE_ERROR_POLICIES)[number];

export interface RateLimitOptions {
  /**
   * The quota of each client over all routes. A route's `@RateLimit()` replaces it there. `false` leaves `flood` alone. A limit of 0 or
   * above 1000000000, a window longer than 31 days, the unit `m`, two limits of one name (also the default name of another), and a
   * `cost` above the limit or the bucket's burst stop the start-up. Environment: `RATE_LIMIT`.
   * @default ['10/second', '100/minute']
   */
  limits?: false | RateLimitInput | readonly RateLimitInput[];
  /**
   * One limit per address on every request, before routing: 404s, routes of other libraries, rejected hosts, origins and credentials,
   * preflights and WebSocket handshakes count. `false` switches it off.
   *
   * Note: all clients behind one address (an office, a proxy that is not trusted) share it.
   * @default '100/second'
   */
  flood?: false | string;
  /**
   * One quota per client over all messages of its sockets, in place of `limits`. A `@RateLimit()` of a `@SubscribeMessage()` handler or
   * of a gateway replaces it there. Over the limit, the client gets the event `exception` with `retry_after_seconds`. `false` switches
   * it off. See docs/websockets.md.
   * @default '100/second'
   */
  messages?: false | RateLimitInput | readonly RateLimitInput[];
  /**
   * Limits by tier, in place of the module's: `{ free: '10/minute', enterprise: '1000/minute' }`. A client without a tier gets the
   * module's limits. Needs `tier`, or `auth`, whose agents have tiers.
   * @default none
   */
  tiers?: Readonly<Record<string, RateLimitInput | readonly RateLimitInput[]>>;
  /**
   * Names the tier of a request. Needs `tiers`.
   *
   * Danger: read it from what was verified, not from a header.
   * @default with `auth`, the tier of the request's agent
   */
  tier?: (
    request: PlatformRequest,
    context: ExecutionContext,
  ) => string | undefined | Promise<string | undefined>;
  /**
   * The partition key of the module's limits, and of routes' limits without a key of their own. `'client'` is the verified agent with
   * `auth`, else the address; `'address'` is the client's address, IPv6 by its /64 and IPv4-mapped IPv6 as IPv4; `'global'` is one
   * quota for all clients. A function returns the key; an empty one falls back to the address.
   *
   * Danger: with an unverified header as the key, a client gets a new quota for each value that it makes up.
   * @default 'client'
   */
  key?: RateLimitKey;
  /**
   * Exact paths of the request line that are not limited, not by `flood` either, such as `/healthz`. The global prefix and the version
   * belong to them.
   * @default []
   */
  exemptPaths?: readonly string[];
  /**
   * Counts that several processes share: a `QuotaStore`, which decides on all limits of a request together, or a storage of the
   * interface of `@nestjs/throttler` (`ThrottlerStorage`), which decides on one after the other. `nestjs-agent-security/redis` has one
   * for Redis.
   *
   * Note: `flood` stays in the process, and with a store 404s count against `flood` alone. Environment: `REDIS_URL`.
   * @default the Redis server of `REDIS_URL`; without it, the memory of the process
   */
  store?: QuotaStore | ThrottlerStorage;
  /**
   * What happens while the store fails or takes longer than 100 ms: `'local'` limits by the counts of the process, `'allow'` lets
   * everything through but floods, `'deny'` answers with 503 `limits_unavailable`.
   * @default 'local'
   */
  onStoreError?: StoreErrorPolicy;
  /** Sends `X-RateLimit-*`, `RateLimit` and `RateLimit-Policy`. A 429 always carries `Retry-After`. @default true */
  headers?: boolean;
  /**
   * Shadow mode: evaluates and counts without enforcing, to try limits on real traffic. Once a minute the log says how many requests
   * would have been rejected. `flood` is still enforced. A single limit can be in shadow mode too: `{ limit, shadow: true }`.
   * @default false
   */
  shadow?: boolean;
  /**
   * Tells clients by `pk` (RateLimit and RateLimit-Policy) which of several quotas they draw on: a hash of their address, or of what
   * `key` returned.
   * @default false
   */
  partitionKeys?: boolean;
  /**
   * How many clients one quota holds in memory. At the bound, the least active clients are dropped, and never one that has used up a
   * limit.
   * @default 250000
   */
  maxClients?: number;
}

export interface ResolvedRateLimit {
  readonly limits: readonly AnyRule[];
  readonly flood: Policy | undefined;
  /** Of messages over sockets. */
  readonly messages: readonly AnyRule[];
  readonly tiers: ReadonlyMap<string, readonly AnyRule[]>;
  readonly tier: RateLimitOptions['tier'];
  readonly key: RateLimitKey;
  readonly exemptPaths: ReadonlySet<string>;
  readonly store: QuotaStore | undefined;
  /** What subclasses of ThrottlerGuard see as their storage, where the user gave one. */
  readonly throttlerStorage: ThrottlerStorage | undefined;
  /** Where the counts are shared, if no store was given. */
  readonly redisUrl?: string | undefined;
  readonly onStoreError: StoreErrorPolicy;
  readonly headers: boolean;
  readonly shadow: boolean;
  readonly partitionKeys: boolean;
  readonly maxClients: number;
}

export const RESOLVED_RATE_LIMIT = Symbol('agent-security:rate-limit');

/** Where the decorators leave a route's rules. */
export const RATE_LIMIT_KEY = 'agent-security:rate-limit';
export const SKIP_RATE_LIMIT_KEY = 'agent-security:skip-rate-limit';

const DEFAULT_LIMITS = ['10/second', '100/minute'];
const DEFAULT_FLOOD = '100/second';
const DEFAULT_MESSAGES = '100/second';
const MAX_CLIENTS = { min: 1, max: 100_000_000 };

/** @param authIsOn whether requests have agents, who may have tiers */
export function resolveRateLimit(
  input: unknown,
  env: ReadEnvironment,
  authIsOn = false,
): ResolvedRateLimit | false {
  if (input === false) return false;
  const options = readObject('rateLimit', input, [
    'limits',
    'flood',
    'messages',
    'tiers',
    'tier',
    'key',
    'exemptPaths',
    'store',
    'onStoreError',
    'headers',
    'shadow',
    'partitionKeys',
    'maxClients',
  ]);
  const fromEnvironment = options.limits === undefined ? env('RATE_LIMIT')?.trim() || undefined : undefined;
  const limitsOption = fromEnvironment === undefined ? 'rateLimit.limits' : 'RATE_LIMIT';
  const limits = options.limits === undefined ? (fromEnvironment ?? DEFAULT_LIMITS) : options.limits;
  const flood = options.flood === undefined ? DEFAULT_FLOOD : options.flood;
  return {
    limits: limits === false ? [] : resolveRules(limitsOption, Array.isArray(limits) ? limits : [limits]),
    flood: flood === false ? undefined : resolveFlood(flood),
    messages: resolveMessages(options.messages),
    tiers: resolveTiers(options.tiers, options.tier, authIsOn),
    tier: readFunction<NonNullable<RateLimitOptions['tier']>>('rateLimit.tier', options.tier),
    key: readKey('rateLimit.key', options.key) ?? 'client',
    exemptPaths: readPaths('rateLimit.exemptPaths', options.exemptPaths),
    ...readStore(options.store),
    redisUrl: options.store === undefined ? readRedisUrl(env) : undefined,
    onStoreError: readChoice('rateLimit.onStoreError', options.onStoreError, STORE_ERROR_POLICIES, 'local'),
    headers: readBoolean('rateLimit.headers', options.headers, true),
    shadow: readBoolean('rateLimit.shadow', options.shadow, false),
    partitionKeys: readBoolean('rateLimit.partitionKeys', options.partitionKeys, false),
    maxClients: readInteger('rateLimit.maxClients', options.maxClients, 250_000, MAX_CLIENTS),
  };
}

function resolveTiers(
  value: unknown,
  tier: unknown,
  authIsOn: boolean,
): ReadonlyMap<string, readonly AnyRule[]> {
  if (value === undefined) {
    if (tier === undefined) return new Map();
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'rateLimit.tier',
      'names tiers that have no limits',
      'Give rateLimit.tiers as well, or leave it out.',
      tier,
    );
  }
  if (!isRecord(value))
    throw limitTypeError('rateLimit.tiers', value, 'must be an object of tiers and their limits');
  if (tier === undefined && !authIsOn) {
    throw new AgentSecurityConfigError(
      'ASEC_OPTION_TYPE',
      'rateLimit.tier',
      'must be a function where rateLimit.tiers is given, received undefined',
      'Pass (request) => the name of the tier.',
    );
  }
  rejectMissing('rateLimit.tiers', value);
  return new Map(
    Object.entries(value).map(([name, limits]) => [
      name,
      resolveRules(`rateLimit.tiers.${showName(name)}`, Array.isArray(limits) ? limits : [limits]),
    ]),
  );
}

function resolveMessages(value: unknown): readonly AnyRule[] {
  if (value === false) return [];
  const limits = value === undefined ? DEFAULT_MESSAGES : value;
  return resolveRules('rateLimit.messages', Array.isArray(limits) ? limits : [limits]);
}

function resolveFlood(value: unknown): Policy {
  if (typeof value !== 'string') throw limitTypeError('rateLimit.flood', value, 'must be a limit or false');
  const parsed = parseLimits('rateLimit.flood', value);
  if (parsed.length > 1) throw limitTypeError('rateLimit.flood', value, 'must be one limit');
  return createPolicy({ name: 'flood', limit: parsed[0]!.limit, windowMs: parsed[0]!.windowMs });
}

function readStore(value: unknown): Pick<ResolvedRateLimit, 'store' | 'throttlerStorage'> {
  if (value === undefined) return { store: undefined, throttlerStorage: undefined };
  if (isRecord(value) && typeof value['consume'] === 'function') {
    return { store: value as unknown as QuotaStore, throttlerStorage: undefined };
  }
  if (isRecord(value) && typeof value['increment'] === 'function') {
    const throttlerStorage = value as unknown as ThrottlerStorage;
    return { store: new ThrottlerQuotaStore(throttlerStorage), throttlerStorage };
  }
  throw receivedError(
    'ASEC_OPTION_TYPE',
    'rateLimit.store',
    'must be a QuotaStore or a ThrottlerStorage',
    'Pass an object with the method judge(charges), or increment(key, ttl, limit, blockDuration, name).',
    value,
  );
}

/** Whether a request may be refused for a limit: what is in shadow mode is not described to clients. */
export const rejectsAny = ({ shadow, flood }: ResolvedRateLimit): boolean => !shadow || flood !== undefined;

/** What `rateLimit: false` leaves: no limit of its own, and the RateLimiter for limiting by hand. */
export const RATE_LIMIT_OFF: ResolvedRateLimit = {
  limits: [],
  flood: undefined,
  messages: [],
  tiers: new Map(),
  tier: undefined,
  key: 'client',
  exemptPaths: new Set(),
  store: undefined,
  throttlerStorage: undefined,
  onStoreError: 'local',
  headers: false,
  shadow: false,
  partitionKeys: false,
  maxClients: 250_000,
};
