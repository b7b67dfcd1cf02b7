/* Which quotas a route draws on: worked out once a route, from @RateLimit, @SkipRateLimit, @nestjs/throttler's decorators and
 * the module's limits. */
import type { ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import type { ThrottlerOptions } from '@nestjs/throttler';
import { RouteMemo } from '../common/route-memo.js';
import { EVERY_POLICY } from './judge.js';
import { checkLimit } from './parse-limits.js';
import { createPolicy, type Policy } from './policy.js';
import type { QuotaTable } from './quota-table.js';
import type { LimitRule, RateLimitCost, RateLimitKey } from './limit-rule.js';
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

/** A `@Throttle()` entry whose numbers are functions of the request. */
export type LateGroup = (context: ExecutionContext) => Promise<QuotaGroup>;

export interface RoutePlan {
  readonly groups: readonly QuotaGroup[];
  readonly lateGroups: readonly LateGroup[];
  /** Whether it can be judged at once: no function of the request is involved. */
  readonly immediate: boolean;
  /** Whether the module's limits apply. */
  readonly isModules: boolean;
  /** The groups in place of `groups` for the clients of each tier. */
  readonly tiers: ReadonlyMap<string, readonly QuotaGroup[]>;
}

const NO_TIERS: ReadonlyMap<string, readonly QuotaGroup[]> = new Map();

type Constructor = abstract new (...args: never[]) => unknown;
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
type Handler = Function;

/** Bounds how many different numbers the functions of one `@Throttle()` may come up with. */
const MAX_LATE_TABLES = 1_000;

export class RoutePlans {
  readonly #modulesGroups: readonly QuotaGroup[];
  readonly #tiersGroups: readonly (readonly [tier: string, groups: readonly QuotaGroup[]])[];
  readonly #classGroups = new WeakMap<Constructor, readonly QuotaGroup[]>();
  readonly #throttleTables = new Map<string, QuotaTable>();
  readonly #plans: RouteMemo<RoutePlan>;
  readonly #scopes = new Map<string, number>();

  constructor(
    private readonly reflector: Reflector,
    private readonly options: ResolvedRateLimit,
    private readonly createTable: (policies: readonly Policy[]) => QuotaTable,
  ) {
    this.#modulesGroups = this.#groupRules('all', options.limits);
    this.#tiersGroups = Array.from(options.tiers, ([tier, rules]) => [
      tier,
      this.#groupRules(`tier:${tier}`, rules),
    ]);
    this.#plans = new RouteMemo((controller, handler) => this.#plan(controller, handler));
  }

  get(controller: Constructor, handler: Handler): RoutePlan {
    return this.#plans.get(controller, handler);
  }

  /** The module's quotas, for requests that match no route. */
  get modulesGroups(): readonly QuotaGroup[] {
    return this.#modulesGroups;
  }

  /** What a request draws on that is of no route, and counts as `times` requests. */
  modulesPlan(times: number): RoutePlan {
    const scale = (groups: readonly QuotaGroup[]): readonly QuotaGroup[] =>
      times === 1
        ? groups
        : groups.map(group =>
            typeof group.cost === 'number' ? { ...group, cost: group.cost * times } : group,
          );
    return {
      groups: scale(this.#modulesGroups),
      lateGroups: [],
      immediate: false,
      isModules: true,
      tiers: new Map(this.#tiersGroups.map(([tier, groups]) => [tier, scale(groups)])),
    };
  }

  #plan(controller: Constructor, handler: Handler): RoutePlan {
    const read = <T>(key: string, target: unknown): T | undefined =>
      this.reflector.get<T | undefined>(key, target as never);
    const scope = `${controller.name}.${handler.name}`;
    const own = read<readonly LimitRule[]>(RATE_LIMIT_KEY, handler);
    const classRules = read<readonly LimitRule[]>(RATE_LIMIT_KEY, controller);
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

  #groupsOfClass(controller: Constructor, rules: readonly LimitRule[]): readonly QuotaGroup[] {
    let groups = this.#classGroups.get(controller);
    if (groups === undefined) {
      groups = this.#groupRules(this.#uniqueScope(controller.name), rules);
      this.#classGroups.set(controller, groups);
    }
    return groups;
  }

  /** Two classes may share a name; their quotas must not. The same in every process that runs the same app. */
  #uniqueScope(name: string): string {
    const uses = (this.#scopes.get(name) ?? 0) + 1;
    this.#scopes.set(name, uses);
    return uses === 1 ? name : `${name}#${uses}`;
  }

  #groupRules(scope: string, rules: readonly LimitRule[]): readonly QuotaGroup[] {
    const groups: { key: RateLimitKey; cost: RateLimitCost; policies: Policy[] }[] = [];
    for (const { policy, key = this.options.key, cost } of rules) {
      const group = groups.find(candidate => candidate.key === key && candidate.cost === cost);
      if (group) group.policies.push(policy);
      else groups.push({ key, cost, policies: [policy] });
    }
    return groups.map(({ key, cost, policies }, index) => ({
      table: this.createTable(policies),
      mask: EVERY_POLICY,
      key,
      cost,
      // Counted apart, as in this process's memory: a tenant may be called what another group calls a user.
      scope: index === 0 ? scope : `${scope}/${index}`,
    }));
  }

  #withThrottles(
    scope: string,
    base: readonly QuotaGroup[],
    targets: readonly object[],
    tiered: boolean,
  ): Omit<RoutePlan, 'isModules'> {
    const skipped = readSkippedThrottles(targets);
    const throttles = readThrottles(targets).filter(({ name }) => !skipped.has(name));
    const replaced = new Set([...skipped, ...throttles.map(({ name }) => name)]);
    const keep = (all: readonly QuotaGroup[]): QuotaGroup[] =>
      all.map(group => without(group, replaced)).filter(group => group.mask !== 0);
    const groups: QuotaGroup[] = [];
    const lateGroups: LateGroup[] = [];
    const uniqueScope = throttles.length === 0 ? scope : this.#uniqueScope(scope);
    for (const throttle of throttles) {
      const { limit, ttl, blockDuration } = this.#complete(throttle);
      const make = (numbers: readonly [unknown, unknown, unknown]): QuotaGroup =>
        this.#throttleGroup(uniqueScope, throttle, numbers);
      if ([limit, ttl, blockDuration].some(value => typeof value === 'function')) {
        lateGroups.push(async context =>
          make([
            await settle(limit, context),
            await settle(ttl, context),
            await settle(blockDuration, context),
          ]),
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
    const rule =
      this.options.limits.find(({ policy }) => policy.named && policy.name === throttle.name) ??
      this.options.limits.find(({ policy }) => !policy.named);
    const ttl = throttle.ttl ?? rule?.policy.windowMs ?? 60_000;
    return {
      limit: throttle.limit ?? rule?.policy.limit ?? 1,
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
    checkLimit(`@Throttle({ ${throttle.name} })`, limit, windowMs, `${limit} in ${windowMs} ms`);
    const id = [throttle.name, limit, windowMs, blockMs].join('|');
    let table = this.#throttleTables.get(id);
    if (table === undefined) {
      if (this.#throttleTables.size >= MAX_LATE_TABLES) {
        this.#throttleTables.delete(this.#throttleTables.keys().next().value!);
      }
      table = this.createTable([createPolicy({ name: throttle.name, limit, windowMs, blockMs })]);
      this.#throttleTables.set(id, table);
    }
    return { table, mask: EVERY_POLICY, key: this.options.key, cost: 1, scope, throttle };
  }
}

function without(group: QuotaGroup, names: ReadonlySet<string>): QuotaGroup {
  let mask = 0;
  for (const [index, policy] of group.table.policies.entries()) {
    if (!names.has(policy.named ? policy.name : 'default')) mask |= 1 << index;
  }
  return names.size === 0 ? group : { ...group, mask };
}

function isImmediate({ key, cost, throttle }: QuotaGroup): boolean {
  return typeof key !== 'function' && typeof cost !== 'function' && throttle === undefined;
}

async function settle(value: unknown, context: ExecutionContext): Promise<unknown> {
  return typeof value === 'function' ? (value as (context: ExecutionContext) => unknown)(context) : value;
}
