/* The quotas of @nestjs/throttler's `@Throttle()` entries. */
import type { ExecutionContext } from '@nestjs/common';
import type {
  ThrottlerOptions,
  ThrottlerGenerateKeyFunction,
  ThrottlerGetTrackerFunction,
} from '@nestjs/throttler';
import { BoundedMap } from '../common/bounded-map.js';
import { joinKey } from '../common/join-key.js';
import { EVERY_POLICY } from '../limiter/consume.js';
import { checkLimit } from '../limiter/parse-limits.js';
import type { Policy } from '../limiter/policy.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import { callApp } from './app-function.js';
import { isDynamic, readPolicyName } from './limit-rule.js';
import type { QuotaGroup } from './create-quota-request.js';
import type { ResolvedRateLimit } from './rate-limit.options.js';
import 'reflect-metadata';
import { createPolicy } from '../limiter/create-policy.js';

/** Bounds how many different numbers the functions of one `@Throttle()` may return. */
const MAX_TABLES = 1_000;

type Numbers = readonly [limit: unknown, windowMs: unknown, blockMs: unknown];

/** The module's own limits as entries of @nestjs/throttler, for the guard that this package's guard extends. */
export const throttlersOf = ({ limits, shadow }: ResolvedRateLimit): ThrottlerOptions[] =>
  limits.flatMap(rule => {
    if (isDynamic(rule) || rule.policy.shadow || shadow) return [];
    const { named, name, limit, windowMs } = rule.policy;
    return [{ name: named ? name : 'default', limit, ttl: windowMs }];
  });

/** A `@Throttle()` entry whose numbers are functions of the request. */
export type DynamicThrottle = (context: ExecutionContext) => Promise<QuotaGroup>;

export class ThrottleGroups {
  readonly #tables = new BoundedMap<string, QuotaTable>(MAX_TABLES);

  constructor(
    private readonly options: Pick<ResolvedRateLimit, 'limits' | 'key'>,
    private readonly createTable: (policies: readonly Policy[]) => QuotaTable,
  ) {}

  /** @throws AgentSecurityConfigError for an invalid name or limit */
  create(
    scope: string,
    throttles: readonly ThrottleSettings[],
  ): { readonly groups: readonly QuotaGroup[]; readonly dynamicThrottles: readonly DynamicThrottle[] } {
    const groups: QuotaGroup[] = [];
    const dynamicThrottles: DynamicThrottle[] = [];
    for (const throttle of throttles) {
      const { limit, ttl, blockDuration } = this.#complete(throttle);
      const numbers: Numbers = [limit, ttl, blockDuration];
      const func = numbers.find(value => typeof value === 'function');
      if (func === undefined) {
        groups.push(this.#groupOf(scope, throttle, numbers));
        continue;
      }
      dynamicThrottles.push(context =>
        callApp(
          `A function of @Throttle({ ${throttle.name} })`,
          func,
          () => Promise.all(numbers.map(value => callIfFunction(value, context))),
          values => this.#groupOf(scope, throttle, values as unknown as Numbers),
        ),
      );
    }
    return { groups, dynamicThrottles };
  }

  /** What a `@Throttle()` leaves out is taken from the module's policy of that name. */
  #complete(throttle: ThrottleSettings): Pick<ThrottlerOptions, 'limit' | 'ttl' | 'blockDuration'> {
    const policies = this.options.limits.flatMap(rule => (isDynamic(rule) ? [] : [rule.policy]));
    const policy =
      policies.find(({ named, name }) => named && name === throttle.name) ??
      policies.find(({ named }) => !named);
    const ttl = throttle.ttl ?? policy?.windowMs ?? 60_000;
    // @nestjs/throttler blocks a client that exceeds a limit for the length of the window.
    return { limit: throttle.limit ?? policy?.limit ?? 1, ttl, blockDuration: throttle.blockDuration ?? ttl };
  }

  #groupOf(scope: string, throttle: ThrottleSettings, numbers: Numbers): QuotaGroup {
    const [limit, windowMs, blockMs] = numbers.map(Number) as [number, number, number];
    const name = readPolicyName('The name of a @Throttle()', throttle.name);
    checkLimit(`@Throttle({ ${name} })`, limit, windowMs, `${limit} in ${windowMs} ms`);
    const id = joinKey(name, limit, windowMs, blockMs);
    let table = this.#tables.get(id);
    if (table === undefined) {
      table = this.createTable([createPolicy({ name, limit, windowMs, blockMs })]);
      this.#tables.set(id, table);
    }
    return { table, mask: EVERY_POLICY, key: this.options.key, cost: 1, scope, throttle };
  }
}

async function callIfFunction(value: unknown, context: ExecutionContext): Promise<unknown> {
  return typeof value === 'function' ? (value as (context: ExecutionContext) => unknown)(context) : value;
}

/* Reads the metadata of @nestjs/throttler's decorators: `@Throttle({ name: { limit, ttl, … } })` and `@SkipThrottle({ name: true })`. */

export interface ThrottleSettings {
  readonly name: string;
  readonly limit: ThrottlerOptions['limit'] | undefined;
  readonly ttl: ThrottlerOptions['ttl'] | undefined;
  readonly blockDuration: ThrottlerOptions['blockDuration'] | undefined;
  readonly getTracker: ThrottlerGetTrackerFunction | undefined;
  readonly generateKey: ThrottlerGenerateKeyFunction | undefined;
}

const LIMIT = 'THROTTLER:LIMIT';
const SKIP = 'THROTTLER:SKIP';

/** Every `@Throttle()` entry of the targets. The first target with a field wins: the handler before its class. */
export function readThrottles(targets: readonly object[]): readonly ThrottleSettings[] {
  return namesUnder(LIMIT, targets).map(name => {
    const read = <T>(field: string): T | undefined => firstDefined<T>(`THROTTLER:${field}${name}`, targets);
    return {
      name,
      limit: read('LIMIT'),
      ttl: read('TTL'),
      blockDuration: read('BLOCK_DURATION'),
      getTracker: read('TRACKER'),
      generateKey: read('KEY_GENERATOR'),
    };
  });
}

/** The names that `@SkipThrottle()` skips. */
export function readSkippedThrottles(targets: readonly object[]): ReadonlySet<string> {
  return new Set(
    namesUnder(SKIP, targets).filter(name => firstDefined<boolean>(SKIP + name, targets) === true),
  );
}

function namesUnder(prefix: string, targets: readonly object[]): readonly string[] {
  const keys = targets.flatMap(target => Reflect.getMetadataKeys(target) as unknown[]);
  const names = keys.filter((key): key is string => typeof key === 'string' && key.startsWith(prefix));
  return [...new Set(names.map(key => key.slice(prefix.length)))];
}

function firstDefined<T>(key: string, targets: readonly object[]): T | undefined {
  for (const target of targets) {
    const value = Reflect.getMetadata(key, target) as T | undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}
