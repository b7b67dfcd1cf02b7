/* Which quotas a route draws on: worked out once a route, from @RateLimit, @SkipRateLimit, @nestjs/throttler's decorators and
 * the module's limits. */
import type { Log } from '../common/log.js';
import type { ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import type { ThrottlerOptions } from '@nestjs/throttler';
import type { Clock } from '../common/clock.js';
import { BoundedMap } from '../common/bounded-map.js';
import { joinKey } from '../common/join-key.js';
import { RouteMemo } from '../common/route-memo.js';
import { callApp } from './app-function.js';
import { checkCost, isConcurrency } from '../limiter/quota-request.js';
import { DynamicLimit } from './dynamic-limits.js';
import { EVERY_POLICY } from '../limiter/consume.js';
import { checkLimit } from '../limiter/parse-limits.js';
import { CONCURRENT_REQUESTS, createPolicy, inShadowMode, type Policy, REQUESTS } from '../limiter/policy.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import {
  type AnyRule,
  checkPolicyName,
  type DynamicRule,
  isDynamic,
  type LimitRule,
  type RateLimitCost,
  type RateLimitKey,
} from './limit-rule.js';
import { RATE_LIMIT_KEY, type ResolvedRateLimit, SKIP_RATE_LIMIT_KEY } from './rate-limit.options.js';
import { readSkippedThrottles, readThrottles, type ThrottleSettings } from './throttle-metadata.js';

/** Policies that are counted under one key. */
export interface QuotaGroup {
  readonly table: QuotaTable;
  /** The policies of the table that apply here, a bit each. */
  readonly mask: number;
  readonly key: RateLimitKey;
  readonly cost: RateLimitCost;
  /** What the quota belongs to; part of the key in a shared storage. */
  readonly scope: string;
  /** The `@Throttle()` entry that it comes from. */
  readonly throttle?: ThrottleSettings;
}

/** A limit that is looked up for each owner. */
export interface DynamicGroup extends Pick<QuotaGroup, 'key' | 'cost' | 'scope'> {
  readonly dynamic: DynamicLimit;
}

export type AnyGroup = QuotaGroup | DynamicGroup;

export const isFixed = (group: AnyGroup): group is QuotaGroup => 'table' in group;

/** A `@Throttle()` entry whose numbers are functions of the request. */
export type LateGroup = (context: ExecutionContext) => Promise<QuotaGroup>;

export interface RoutePlan {
  readonly groups: readonly AnyGroup[];
  readonly lateGroups: readonly LateGroup[];
  /** Whether it can be judged at once, and nothing is left to do then: no function of the request, no slot, no event. */
  readonly immediate: boolean;
  /** Whether the module's limits apply. */
  readonly isModules: boolean;
  /** The groups in place of `groups` for the clients of each tier. */
  readonly tiers: ReadonlyMap<string, readonly AnyGroup[]>;
}

const NO_TIERS: ReadonlyMap<string, readonly AnyGroup[]> = new Map();

type Constructor = abstract new (...args: never[]) => unknown;
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
type Handler = Function;

/** Bounds how many different numbers the functions of one `@Throttle()` may come up with. */
const MAX_LATE_TABLES = 1_000;

export class RoutePlans {
  readonly #modulesGroups: readonly AnyGroup[];
  readonly #messageGroups: readonly AnyGroup[];
  readonly #tiersGroups: readonly (readonly [tier: string, groups: readonly AnyGroup[]])[];
  readonly #classGroups = new WeakMap<Constructor, readonly AnyGroup[]>();
  readonly #throttleTables = new BoundedMap<string, QuotaTable>(MAX_LATE_TABLES);
  readonly #plans: RouteMemo<RoutePlan>;
  readonly #scopes = new Map<string, number>();

  constructor(
    private readonly reflector: Reflector,
    private readonly options: ResolvedRateLimit,
    private readonly createTable: (policies: readonly Policy[]) => QuotaTable,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'error'>,
  ) {
    this.#modulesGroups = this.#groupRules('all', options.limits);
    this.#messageGroups = this.#groupRules('messages', options.messages);
    this.#tiersGroups = Array.from(options.tiers, ([tier, rules]) => [
      tier,
      this.#groupRules(joinKey('tier', tier), rules),
    ]);
    this.#plans = new RouteMemo((controller, handler) => this.#plan(controller, handler));
  }

  get(controller: Constructor, handler: Handler): RoutePlan {
    return this.#plans.get(controller, handler);
  }

  /** The module's quotas, for requests that match no route: those that can be judged at once. Their work ends before it takes a slot. */
  get modulesGroups(): readonly QuotaGroup[] {
    return this.#modulesGroups.filter(isFixed).flatMap(group => {
      if (!group.table.policies.some(isConcurrency)) return [group];
      let mask = 0;
      for (const [index, policy] of group.table.policies.entries())
        if ((group.mask & (1 << index)) !== 0 && !isConcurrency(policy)) mask |= 1 << index;
      return mask === 0 ? [] : [{ ...group, mask }];
    });
  }

  /** What a request draws on that is of no route, and counts as `times` requests. */
  modulesPlan(times: number): RoutePlan {
    const scale = (groups: readonly AnyGroup[]): readonly AnyGroup[] =>
      times === 1 ? groups : groups.map(group => ({ ...group, cost: timesCost(group.cost, times) }));
    return {
      groups: scale(this.#modulesGroups),
      lateGroups: [],
      immediate: false,
      isModules: true,
      tiers: new Map(this.#tiersGroups.map(([tier, groups]) => [tier, scale(groups)])),
    };
  }

  /** The plan of a gateway's handler: what the module counts of messages in place of what it counts of requests. */
  messagePlan(plan: RoutePlan): RoutePlan {
    if (!plan.isModules) return plan;
    const own = plan.groups.filter(group => isFixed(group) && group.throttle !== undefined);
    return { ...plan, groups: [...this.#messageGroups, ...own], tiers: NO_TIERS };
  }

  #plan(controller: Constructor, handler: Handler): RoutePlan {
    const read = <T>(key: string, target: unknown): T | undefined =>
      this.reflector.get<T | undefined>(key, target as never);
    const scope = joinKey('handler', controller.name, handler.name);
    const own = read<readonly AnyRule[]>(RATE_LIMIT_KEY, handler);
    const classRules = read<readonly AnyRule[]>(RATE_LIMIT_KEY, controller);
    const skipped =
      read<boolean>(SKIP_RATE_LIMIT_KEY, handler) === true ||
      (own === undefined && read<boolean>(SKIP_RATE_LIMIT_KEY, controller) === true);
    if (skipped) return { groups: [], lateGroups: [], immediate: true, isModules: false, tiers: NO_TIERS };
    const isModules = own === undefined && classRules === undefined;
    const base = own
      ? this.#groupRules(this.#uniqueScope(scope), own)
      : classRules
        ? this.#groupsOfClass(controller, classRules)
        : this.#modulesGroups;
    return { ...this.#withThrottles(scope, base, [handler, controller], isModules), isModules };
  }

  #groupsOfClass(controller: Constructor, rules: readonly AnyRule[]): readonly AnyGroup[] {
    let groups = this.#classGroups.get(controller);
    if (groups === undefined) {
      groups = this.#groupRules(this.#uniqueScope(joinKey('class', controller.name)), rules);
      this.#classGroups.set(controller, groups);
    }
    return groups;
  }

  /** Two classes may share a name; their quotas must not. The same in every process that runs the same app. */
  #uniqueScope(name: string): string {
    const uses = (this.#scopes.get(name) ?? 0) + 1;
    this.#scopes.set(name, uses);
    return uses === 1 ? name : joinKey(name, uses);
  }

  #groupRules(scope: string, rules: readonly AnyRule[]): readonly AnyGroup[] {
    const groups: { key: RateLimitKey; cost: RateLimitCost; policies: Policy[] }[] = [];
    const fixed = rules.filter((rule): rule is LimitRule => !isDynamic(rule));
    for (const { policy, key = this.options.key, cost } of fixed) {
      const group = groups.find(candidate => candidate.key === key && candidate.cost === cost);
      if (group) group.policies.push(policy);
      else groups.push({ key, cost, policies: [policy] });
    }
    // Counted apart, as in this process's memory: a tenant may be called what another group calls a user.
    const scopeOf = (index: number): string => (index === 0 ? scope : joinKey('group', scope, index));
    const dynamic = rules.filter(isDynamic).map((rule, index) => ({
      dynamic: new DynamicLimit(this.#ruleInMode(rule), this.options.maxClients, this.clock, this.log),
      key: rule.key ?? this.options.key,
      cost: rule.cost,
      scope: scopeOf(groups.length + index),
    }));
    return [
      ...groups.map(({ key, cost, policies }, index) => ({
        table: this.#tableOf(policies),
        mask: EVERY_POLICY,
        key,
        cost,
        scope: scopeOf(index),
      })),
      ...dynamic,
    ];
  }

  #tableOf(policies: readonly Policy[]): QuotaTable {
    return this.createTable(this.#inMode(policies));
  }

  #ruleInMode(rule: DynamicRule): DynamicRule {
    return { ...rule, createPolicies: limit => this.#inMode(rule.createPolicies(limit)) };
  }

  #inMode(policies: readonly Policy[]): readonly Policy[] {
    return this.options.shadow ? inShadowMode(policies) : policies;
  }

  #withThrottles(
    scope: string,
    base: readonly AnyGroup[],
    targets: readonly object[],
    tiered: boolean,
  ): Omit<RoutePlan, 'isModules'> {
    const skipped = readSkippedThrottles(targets);
    const throttles = readThrottles(targets).filter(({ name }) => !skipped.has(name));
    const replaced = new Set([...skipped, ...throttles.map(({ name }) => name)]);
    const keep = (all: readonly AnyGroup[]): AnyGroup[] =>
      all.map(group => without(group, replaced)).filter(group => !isFixed(group) || group.mask !== 0);
    const groups: QuotaGroup[] = [];
    const lateGroups: LateGroup[] = [];
    const uniqueScope = throttles.length === 0 ? scope : this.#uniqueScope(scope);
    for (const throttle of throttles) {
      const { limit, ttl, blockDuration } = this.#complete(throttle);
      const make = (numbers: readonly [unknown, unknown, unknown]): QuotaGroup =>
        this.#throttleGroup(uniqueScope, throttle, numbers);
      if ([limit, ttl, blockDuration].some(value => typeof value === 'function')) {
        const numbers = [limit, ttl, blockDuration];
        const func = numbers.find(value => typeof value === 'function')!;
        lateGroups.push(context =>
          callApp(
            `A function of @Throttle({ ${throttle.name} })`,
            func,
            () => Promise.all(numbers.map(value => settle(value, context))),
            values => make(values as [unknown, unknown, unknown]),
          ),
        );
      } else {
        groups.push(make([limit, ttl, blockDuration]));
      }
    }
    const all = [...keep(base), ...groups];
    const tiers = tiered
      ? new Map(this.#tiersGroups.map(([tier, own]) => [tier, [...keep(own), ...groups]] as const))
      : NO_TIERS;
    const immediate = lateGroups.length === 0 && tiers.size === 0 && all.every(isImmediate);
    return { groups: all, lateGroups, immediate, tiers };
  }

  /** What a `@Throttle()` leaves out comes from the module's policy of that name. */
  #complete(throttle: ThrottleSettings): Pick<ThrottlerOptions, 'limit' | 'ttl' | 'blockDuration'> {
    const policies = this.options.limits.flatMap(rule => (isDynamic(rule) ? [] : [rule.policy]));
    const policy =
      policies.find(({ named, name }) => named && name === throttle.name) ??
      policies.find(({ named }) => !named);
    const ttl = throttle.ttl ?? policy?.windowMs ?? 60_000;
    return {
      limit: throttle.limit ?? policy?.limit ?? 1,
      ttl,
      // @nestjs/throttler blocks whoever exceeds a limit for as long as the window is.
      blockDuration: throttle.blockDuration ?? ttl,
    };
  }

  #throttleGroup(
    scope: string,
    throttle: ThrottleSettings,
    numbers: readonly [unknown, unknown, unknown],
  ): QuotaGroup {
    const [limit, windowMs, blockMs] = numbers.map(Number) as [number, number, number];
    checkPolicyName('The name of a @Throttle()', throttle.name);
    checkLimit(`@Throttle({ ${throttle.name} })`, limit, windowMs, `${limit} in ${windowMs} ms`);
    const id = joinKey(throttle.name, limit, windowMs, blockMs);
    let table = this.#throttleTables.get(id);
    if (table === undefined) {
      table = this.#tableOf([createPolicy({ name: throttle.name, limit, windowMs, blockMs })]);
      this.#throttleTables.set(id, table);
    }
    return { table, mask: EVERY_POLICY, key: this.options.key, cost: 1, scope, throttle };
  }
}

function without(group: AnyGroup, names: ReadonlySet<string>): AnyGroup {
  if (!isFixed(group) || names.size === 0) return group;
  let mask = 0;
  for (const [index, policy] of group.table.policies.entries()) {
    if (!names.has(policy.named ? policy.name : 'default')) mask |= 1 << index;
  }
  return { ...group, mask };
}

function isImmediate(group: AnyGroup): boolean {
  return (
    isFixed(group) &&
    typeof group.key !== 'function' &&
    typeof group.cost !== 'function' &&
    group.throttle === undefined &&
    group.table.policies.every(policy => !isWatched(policy))
  );
}

/** Whether something is left to do once it has granted. */
function isWatched(policy: Policy): boolean {
  return policy.shadow || policy.alertAt !== undefined || isConcurrency(policy) || isEstimated(policy, 1);
}

/** Whether what a request takes of a policy is an estimate that may be settled. */
export function isEstimated({ unit }: Policy, cost: RateLimitCost): boolean {
  return typeof cost === 'function' || (unit !== REQUESTS && unit !== CONCURRENT_REQUESTS);
}

/** What so many requests cost that come as one. */
function timesCost(cost: RateLimitCost, times: number): RateLimitCost {
  if (typeof cost === 'number') return cost * times;
  // Checked before it is multiplied: a bad cost is logged as the function returned it.
  return async (request, context) => checkCost(await cost(request, context)) * times;
}

async function settle(value: unknown, context: ExecutionContext): Promise<unknown> {
  return typeof value === 'function' ? (value as (context: ExecutionContext) => unknown)(context) : value;
}
