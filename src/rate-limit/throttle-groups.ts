/* The quotas of @nestjs/throttler's `@Throttle()` entries. */
import type { ExecutionContext } from '@nestjs/common';
import type { ThrottlerOptions } from '@nestjs/throttler';
import { BoundedMap } from '../common/bounded-map.js';
import { joinKey } from '../common/join-key.js';
import { EVERY_POLICY } from '../limiter/consume.js';
import { checkLimit } from '../limiter/parse-limits.js';
import { createPolicy, type Policy } from '../limiter/policy.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import { callApp } from './app-function.js';
import { isDynamic, readPolicyName } from './limit-rule.js';
import type { LateGroup, QuotaGroup } from './quota-group.js';
import type { ResolvedRateLimit } from './rate-limit.options.js';
import type { ThrottleSettings } from './throttle-metadata.js';

/** Bounds how many different numbers the functions of one `@Throttle()` may return. */
const MAX_TABLES = 1_000;

type Numbers = readonly [limit: unknown, windowMs: unknown, blockMs: unknown];

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
  ): { readonly groups: readonly QuotaGroup[]; readonly lateGroups: readonly LateGroup[] } {
    const groups: QuotaGroup[] = [];
    const lateGroups: LateGroup[] = [];
    for (const throttle of throttles) {
      const { limit, ttl, blockDuration } = this.#complete(throttle);
      const numbers: Numbers = [limit, ttl, blockDuration];
      const func = numbers.find(value => typeof value === 'function');
      if (func === undefined) {
        groups.push(this.#groupOf(scope, throttle, numbers));
        continue;
      }
      lateGroups.push(context =>
        callApp(
          `A function of @Throttle({ ${throttle.name} })`,
          func,
          () => Promise.all(numbers.map(value => callIfFunction(value, context))),
          values => this.#groupOf(scope, throttle, values as unknown as Numbers),
        ),
      );
    }
    return { groups, lateGroups };
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
