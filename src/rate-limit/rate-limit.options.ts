import type { ExecutionContext } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { ExemptPaths } from '../common/exempt-paths.js';
import type { PlatformRequest } from '../common/http-request.js';
import {
  asGiven,
  boolean,
  choice,
  expandShort,
  fn,
  integer,
  mapped,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import {
  isRecord,
  readArrayVariable,
  type ReadEnvironment,
  readPaths,
  receivedError,
  rejectMissing,
} from '../common/read-options.js';
import { readRedisUrl } from '../common/redis-url.js';
import { showName } from '../common/show-value.js';
import { singleLimit } from '../limiter/process-limit.js';
import { STORE_ERROR_POLICIES, type StoreErrorPolicy } from '../limiter/quota-engine.js';
import type { QuotaStore } from '../limiter/store/quota-store.js';
import { ThrottlerQuotaStore } from '../limiter/store/throttler-store.js';
import { FOREIGN_RATE_LIMIT } from './foreign-limits.js';
import { type AnyRule, limitTypeError, readKey, resolveRules } from './limit-rule.js';
import { DEFAULT_CALL_LIMITS } from './mcp-limits.js';
import type { RateLimitInput } from './policy-options.js';
import type { RateLimitKey } from './limit-functions.js';

export type { StoreErrorPolicy };

/**
 * The limits of the app, and where they are counted.
 * @example
 * AgentSecurityModule.forRoot({ rateLimit: { limits: ['10/second', '1000/hour'], key: 'client', onStoreError: 'local' } })
 */
export interface RateLimitOptions {
  /**
   * One quota per client over all routes. A route's `@RateLimit()` replaces it there. `false` leaves only `flood`. A limit of 0 or above
   * 1000000000, a window longer than 31 days, the unit `m`, two limits of one name (also the default name of another), and a `cost` above
   * the limit or the bucket's burst stop the start-up. Environment: `RATE_LIMIT`.
   *
   * Note: over MCP they are the limits of calls, and other messages have five times as much. The default is `['30/second', '100/minute']`
   * there. See docs/rate-limits.md#mcp.
   * @default ['10/second', '100/minute']
   */
  limits?: false | RateLimitInput | readonly RateLimitInput[];
  /**
   * A limit per address over all requests, checked before routing: it counts 404s, routes of other libraries, rejected hosts, origins and
   * credentials, preflights and WebSocket handshakes too. `false` switches it off.
   *
   * Note: all clients behind one address (an office, a proxy that is not trusted) share it.
   * @default '100/second'
   */
  flood?: false | string;
  /**
   * One quota per client over all messages of its sockets, in place of `limits`. A `@RateLimit()` of a gateway or a `@SubscribeMessage()`
   * handler replaces it there. Over it, the client gets the event `exception` with `retry_after_seconds`. `false` switches it off; other
   * values are checked like `limits`. See docs/websockets.md.
   * @default '100/second'
   */
  messages?: false | RateLimitInput | readonly RateLimitInput[];
  /**
   * Limits of tiers of clients, in place of `limits`: `{ free: '10/minute', enterprise: '1000/minute' }`. Clients without a tier
   * get `limits`. Needs `tier`, or `auth`, which uses the agent's own tier. An agent of a key book whose tier is not listed stops the
   * start-up; a tier that is found out at run time gets `limits` and the event `limit.unknown-tier`.
   * @default none
   */
  tiers?: Readonly<Record<string, RateLimitInput | readonly RateLimitInput[]>>;
  /**
   * Returns the tier of a request. Needs `tiers`.
   *
   * Danger: read it from verified data only, never from an unverified header.
   * @default with `auth`, the tier of the request's agent
   */
  tier?: (
    request: PlatformRequest,
    context: ExecutionContext,
  ) => string | undefined | Promise<string | undefined>;
  /**
   * The partition key of `limits`, and of routes' limits without a key of their own. `'client'` is the authenticated agent if there is
   * one, else the address; `'address'` is the address, IPv6 by its /64 and IPv4-mapped IPv6 as IPv4; `'global'` is one quota for all
   * clients. A function returns the key; an empty text stands for the address.
   *
   * Danger: with a key from an unverified header, a client gets a new quota with every new value.
   * @default 'client'
   */
  key?: RateLimitKey;
  /**
   * Exact paths that are not limited, not by `flood` either, such as `/healthz`: as in the request line, or without the global prefix and
   * the version in the path. One that no route answers is logged as a warning at start-up.
   * @default []
   */
  exemptPaths?: string | readonly string[];
  /**
   * A store that several processes share: a `QuotaStore`, which decides over all policies of a request together, or a `ThrottlerStorage`
   * (the interface of `@nestjs/throttler`), which decides one after the other. `nestjs-agent-security/redis` exports one for Redis.
   *
   * Note: `flood` stays in the process unless `sharedFlood` is set, and with a store 404s count for `flood` only. Environment: `REDIS_URL`.
   * @default the Redis server of `REDIS_URL`; without it the memory of the process
   */
  store?: QuotaStore | ThrottlerStorage;
  /**
   * What happens while the store fails or takes longer than 100 ms: `'local'` limits by the counts of the process, `'allow'` enforces
   * `flood` only, `'deny'` answers 503 `limits_unavailable`.
   * @default 'local'
   */
  onStoreError?: StoreErrorPolicy;
  /**
   * Shares `flood` between the processes of a `store`. No request waits for it: each process counts, and reports every twentieth of the
   * limit to the store in the background. N processes together admit up to N twentieths of the limit more, and what arrives while a
   * report is under way. While the store fails, each process counts alone. Without a store that has `settle`, it stops the start-up.
   * @default false
   */
  sharedFlood?: boolean;
  /** Sends `X-RateLimit-*`, `RateLimit` and `RateLimit-Policy`. A 429 always has `Retry-After`. @default true */
  headers?: boolean;
  /**
   * Shadow mode: evaluates and counts all limits without enforcing them, to test limits on real traffic. Once a minute the log says how
   * many requests would have been rejected. `flood` is still enforced. For a single limit write `{ limit, shadow: true }`.
   * @default false
   */
  shadow?: boolean;
  /**
   * How many clients one quota holds in memory, 1 to 100000000. At the bound the least active clients are evicted, but none that has used
   * up a limit.
   * @default 250000
   */
  maxClients?: number;
}

export const RESOLVED_RATE_LIMIT = Symbol('agent-security:resolved-rate-limit');

/** Metadata keys of the decorators. */
export const RATE_LIMIT_KEY = 'agent-security:rate-limit';
export const SKIP_RATE_LIMIT_KEY = 'agent-security:skip-rate-limit';

const DEFAULT_LIMITS = ['10/second', '100/minute'];
const DEFAULT_MESSAGES = '100/second';

const readFlood = singleLimit('flood', '100/second', 'one limit or false');

const TABLE = {
  limits: asGiven,
  flood: (option, value) => (value === false ? undefined : readFlood(option, value)),
  messages: (option, value: unknown) => resolveLimits(option, value, DEFAULT_MESSAGES),
  tiers: asGiven,
  tier: fn<NonNullable<RateLimitOptions['tier']>>(),
  key: (option, value: unknown) => readKey(option, value) ?? 'client',
  exemptPaths: mapped(readPaths, paths => new ExemptPaths(paths)),
  store: readStore,
  onStoreError: choice(STORE_ERROR_POLICIES, 'local'),
  sharedFlood: boolean(false),
  headers: boolean(true),
  shadow: boolean(false),
  maxClients: integer(250_000, 1, 100_000_000),
} satisfies OptionTable<RateLimitOptions>;

export interface ResolvedRateLimit
  extends Omit<Resolved<typeof TABLE>, 'limits' | 'tiers' | 'store'>, ResolvedStore {
  readonly limits: readonly AnyRule[];
  /** The limits of calls over MCP: `limits`, or the default of such calls. */
  readonly mcpLimits: readonly AnyRule[];
  readonly tiers: ReadonlyMap<string, readonly AnyRule[]>;
  /** The Redis server that counts, if no store was given. */
  readonly redisUrl?: string | undefined;
}

interface ResolvedStore {
  readonly store: QuotaStore | undefined;
  /** The storage that subclasses of ThrottlerGuard see, if the user gave one. */
  readonly throttlerStorage: ThrottlerStorage | undefined;
}

/** @param authIsOn whether requests have agents, which may have tiers */
export function resolveRateLimit(
  input: unknown,
  env: ReadEnvironment,
  authIsOn = false,
): ResolvedRateLimit | false {
  if (input === false) return false;
  const isLimit = typeof input === 'number';
  const given = isLimit ? { limits: input } : expandShort(input, 'limits');
  const options = readTable('rateLimit', given, TABLE, FOREIGN_RATE_LIMIT);
  const { limits, tiers, tier, store } = options;
  const fromEnvironment = limits === undefined ? env('RATE_LIMIT')?.trim() || undefined : undefined;
  const resolved =
    fromEnvironment === undefined
      ? resolveLimits('rateLimit.limits', limits, DEFAULT_LIMITS)
      : resolveRules('RATE_LIMIT', readArrayVariable('RATE_LIMIT', fromEnvironment) ?? [fromEnvironment]);
  // The default means the same whether it is written or not.
  const written = fromEnvironment ?? (Array.isArray(limits) ? limits.join(', ') : limits);
  const isDefault = written === undefined || written === DEFAULT_LIMITS.join(', ');
  const redisUrl = store.store === undefined ? readRedisUrl(env) : undefined;
  const canShareFlood =
    options.flood !== undefined && (redisUrl !== undefined || store.store?.settle !== undefined);
  if (options.sharedFlood && !canShareFlood) {
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'rateLimit.sharedFlood',
      'needs rateLimit.flood, and a store that has settle()',
      'Set REDIS_URL or rateLimit.store, or leave it out.',
      true,
    );
  }
  return {
    ...options,
    ...store,
    limits: resolved,
    mcpLimits: isDefault ? resolveRules('rateLimit.limits', DEFAULT_CALL_LIMITS) : resolved,
    tiers: resolveTiers(tiers, tier, authIsOn),
    redisUrl,
  };
}

function resolveLimits(option: string, value: unknown, fallback?: unknown): readonly AnyRule[] {
  const limits = value === undefined ? fallback : value;
  return limits === false ? [] : resolveRules(option, Array.isArray(limits) ? limits : [limits]);
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

function readStore(option: string, value: unknown): ResolvedStore {
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
    option,
    'must be a QuotaStore or a ThrottlerStorage',
    'Pass an object with the method consume(charges), or increment(key, ttl, limit, blockDuration, name).',
    value,
  );
}

/** `rateLimit: false`: no limits, only `RateLimiter` for programmatic limiting. */
export const withoutLimits = (): ResolvedRateLimit =>
  resolveRateLimit(
    { limits: false, flood: false, messages: false, headers: false },
    () => undefined,
  ) as ResolvedRateLimit;
