/* Which quotas apply to a route: determined once for each route from `@RateLimit()`, `@SkipRateLimit()`, @nestjs/throttler's decorators and
 * the module's limits. */
import type { Reflector } from '@nestjs/core';
import type { Clock } from '../common/clock.js';
import { type Handler, RouteMemo } from '../common/each-handler.js';
import { rawRequest } from '../common/http-request.js';
import { joinKey } from '../common/join-key.js';
import type { Log } from '../common/log-text.js';
import type { Call } from '../common/read-call.js';
import type { McpMessageKind } from '../common/unguarded-limiter.js';
import { EVERY_POLICY } from '../limiter/consume.js';
import { inShadowMode, type Policy } from '../limiter/policy.js';
import { checkCost, isConcurrency } from '../limiter/quota-request.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import { DynamicLimit } from './dynamic-limits.js';
import { type AnyRule, isDynamic, type LimitRule, resolveRules } from './limit-rule.js';
import { widenRules } from './mcp-limits.js';
import type { RateLimitCost, RateLimitKey } from './limit-functions.js';
import { type AnyGroup, isFixed, type QuotaGroup } from './create-quota-request.js';
import { isEstimated } from './reservation.js';
import { RATE_LIMIT_KEY, type ResolvedRateLimit, SKIP_RATE_LIMIT_KEY } from './rate-limit.options.js';
import {
  type DynamicThrottle,
  ThrottleGroups,
  readSkippedThrottles,
  readThrottles,
} from './throttle-groups.js';
import { onlyConcurrency, withoutConcurrency, withoutNames } from './restrict-groups.js';

type Tiers = readonly (readonly [tier: string, groups: readonly AnyGroup[]])[];
type McpGroups = { readonly groups: readonly AnyGroup[]; readonly tiers: Tiers };

type Constructor = abstract new (...args: never[]) => unknown;

export interface RoutePlan {
  readonly groups: readonly AnyGroup[];
  readonly dynamicThrottles: readonly DynamicThrottle[];
  /** Whether a decision needs nothing but the request's client, and a granted one needs no further work (a lease, an event). */
  readonly isImmediate: boolean;
  /** Whether the module's limits apply. */
  readonly hasModuleLimits: boolean;
  /** The groups in place of `groups` for the clients of each tier. */
  readonly tiers: ReadonlyMap<string, readonly AnyGroup[]>;
  /** The allowance of a stream's reconnects, which are decided by it once `groups` deny them. */
  readonly reconnects?: RoutePlan;
}

/** The metadata of Nest's `@Sse()`. */
const SSE_METADATA = '__sse__';
/** An `EventSource` reconnects after three seconds, unless the server says otherwise. A 429 closes it for good (HTML, "Server-sent events"). */
const RECONNECTS = resolveRules('limits', [{ limit: '30/minute', name: 'stream-reconnects' }]);

const NO_TIERS: RoutePlan['tiers'] = new Map();

/** Whether a plan limits nothing. */
export const isEmpty = ({ groups, dynamicThrottles, tiers }: RoutePlan): boolean =>
  groups.length === 0 && dynamicThrottles.length === 0 && tiers.size === 0;

/** Whether a request continues a stream whose reconnects have an allowance. */
export function isReconnect({ reconnects }: RoutePlan, { request }: Call): boolean {
  if (reconnects === undefined) return false;
  const { method, headers } = rawRequest(request);
  return (
    method === 'GET' &&
    headers['last-event-id'] !== undefined &&
    headers.accept?.includes('text/event-stream') === true
  );
}

const hasThrottle = (group: AnyGroup): boolean => isFixed(group) && group.throttle !== undefined;

export class RoutePlans {
  readonly #moduleGroups: readonly AnyGroup[];
  readonly #messageGroups: readonly AnyGroup[];
  readonly #tierGroups: readonly (readonly [tier: string, groups: readonly AnyGroup[]])[];
  readonly #classGroups = new WeakMap<Constructor, readonly AnyGroup[]>();
  readonly #throttles: ThrottleGroups;
  readonly #plans: RouteMemo<RoutePlan>;
  readonly #scopes = new Map<string, number>();
  #reconnectGroups: readonly AnyGroup[] | undefined;
  /** Created with the first request to an MCP endpoint. */
  #mcpGroups: Readonly<Record<McpMessageKind, McpGroups>> | undefined;

  constructor(
    private readonly reflector: Reflector,
    private readonly options: ResolvedRateLimit,
    private readonly createTable: (policies: readonly Policy[]) => QuotaTable,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'error'>,
  ) {
    this.#throttles = new ThrottleGroups(options, policies => this.#tableOf(policies));
    this.#moduleGroups = this.#groupRules('all', options.limits);
    this.#messageGroups = this.#groupRules('messages', options.messages);
    this.#tierGroups = Array.from(options.tiers, ([tier, rules]) => [
      tier,
      this.#groupRules(joinKey('tier', tier), rules),
    ]);
    this.#plans = new RouteMemo((controller, handler) => this.#plan(controller, handler));
  }

  get(controller: Constructor, handler: Handler): RoutePlan {
    return this.#plans.get(controller, handler);
  }

  /** The module's quotas for requests that match no route: without dynamic limits and concurrency limits. */
  get moduleGroups(): readonly QuotaGroup[] {
    return withoutConcurrency(this.#moduleGroups.filter(isFixed));
  }

  /** The quotas of a request to an MCP endpoint, which counts as `times` messages of a kind. */
  mcpPlan(kind: McpMessageKind, times: number): RoutePlan {
    const { groups, tiers } = (this.#mcpGroups ??= this.#createMcpGroups())[kind];
    const scale = (each: readonly AnyGroup[]): readonly AnyGroup[] =>
      times === 1 ? each : each.map(group => ({ ...group, cost: multiplyCost(group.cost, times) }));
    return {
      groups: scale(groups),
      dynamicThrottles: [],
      isImmediate: false,
      hasModuleLimits: true,
      tiers: new Map(tiers.map(([tier, each]) => [tier, scale(each)])),
    };
  }

  #createMcpGroups(): Readonly<Record<McpMessageKind, McpGroups>> {
    const { limits, mcpLimits, tiers } = this.options;
    const calls = mcpLimits === limits ? this.#moduleGroups : this.#groupRules('mcp', mcpLimits);
    const widen = (scope: string, rules: readonly AnyRule[], groups: readonly AnyGroup[]) => [
      ...this.#groupRules(scope, widenRules(rules)),
      ...onlyConcurrency(groups),
    ];
    return {
      call: { groups: calls, tiers: this.#tierGroups },
      protocol: {
        groups: widen('protocol', mcpLimits, calls),
        tiers: this.#tierGroups.map(([tier, groups]) => [
          tier,
          widen(joinKey('protocol', tier), tiers.get(tier)!, groups),
        ]),
      },
    };
  }

  /** The plan of a gateway's handler: `messages` in place of `limits`. */
  messagePlan(plan: RoutePlan): RoutePlan {
    if (!plan.hasModuleLimits) return plan;
    return { ...plan, groups: [...this.#messageGroups, ...plan.groups.filter(hasThrottle)], tiers: NO_TIERS };
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
    if (skipped)
      return { groups: [], dynamicThrottles: [], isImmediate: true, hasModuleLimits: false, tiers: NO_TIERS };
    const hasModuleLimits = own === undefined && classRules === undefined;
    const base = own
      ? this.#groupRules(this.#uniqueScope(scope), own)
      : classRules
        ? this.#groupsOfClass(controller, classRules)
        : this.#moduleGroups;
    const plan = {
      ...this.#withThrottles(scope, base, [handler, controller], hasModuleLimits),
      hasModuleLimits,
    };
    // The limits of `@Throttle()` hold for reconnects, too.
    if (!hasModuleLimits || plan.dynamicThrottles.length > 0 || plan.groups.some(hasThrottle)) return plan;
    const isStream = read<boolean>(SSE_METADATA, handler) === true;
    return isStream ? { ...plan, reconnects: this.#reconnectPlan(plan) } : plan;
  }

  #reconnectPlan({ groups, tiers }: RoutePlan): RoutePlan {
    const own = (this.#reconnectGroups ??= this.#groupRules('reconnects', RECONNECTS));
    return {
      groups: [...own, ...onlyConcurrency(groups)],
      dynamicThrottles: [],
      isImmediate: false,
      hasModuleLimits: false,
      tiers: new Map(Array.from(tiers, ([tier, each]) => [tier, [...own, ...onlyConcurrency(each)]])),
    };
  }

  #groupsOfClass(controller: Constructor, rules: readonly AnyRule[]): readonly AnyGroup[] {
    const known = this.#classGroups.get(controller);
    if (known !== undefined) return known;
    const groups = this.#groupRules(this.#uniqueScope(joinKey('class', controller.name)), rules);
    this.#classGroups.set(controller, groups);
    return groups;
  }

  /** Two classes may share a name, but not their quotas. The result is the same in every process of the same app. */
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
    // A key of one group may read like a key of another one.
    const scopeOf = (index: number): string => (index === 0 ? scope : joinKey('group', scope, index));
    const dynamic = rules.filter(isDynamic).map((rule, index) => ({
      dynamic: new DynamicLimit(
        { ...rule, createPolicies: limit => this.#inMode(rule.createPolicies(limit)) },
        this.options.maxClients,
        this.clock,
        this.log,
      ),
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

  #inMode(policies: readonly Policy[]): readonly Policy[] {
    return this.options.shadow ? inShadowMode(policies) : policies;
  }

  #withThrottles(
    scope: string,
    base: readonly AnyGroup[],
    targets: readonly object[],
    tiered: boolean,
  ): Omit<RoutePlan, 'hasModuleLimits'> {
    const skipped = readSkippedThrottles(targets);
    const throttles = readThrottles(targets).filter(({ name }) => !skipped.has(name));
    const replaced = new Set([...skipped, ...throttles.map(({ name }) => name)]);
    const keep = (all: readonly AnyGroup[]): AnyGroup[] =>
      all.map(group => withoutNames(group, replaced)).filter(group => !isFixed(group) || group.mask !== 0);
    const { groups, dynamicThrottles } = this.#throttles.create(
      throttles.length === 0 ? scope : this.#uniqueScope(scope),
      throttles,
    );
    const all = [...keep(base), ...groups];
    const tiers = tiered
      ? new Map(this.#tierGroups.map(([tier, own]) => [tier, [...keep(own), ...groups]] as const))
      : NO_TIERS;
    const areImmediate = dynamicThrottles.length === 0 && tiers.size === 0 && all.every(isImmediate);
    return { groups: all, dynamicThrottles, isImmediate: areImmediate, tiers };
  }
}

function isImmediate(group: AnyGroup): boolean {
  return (
    isFixed(group) &&
    typeof group.key !== 'function' &&
    typeof group.cost !== 'function' &&
    group.throttle === undefined &&
    !group.table.policies.some(leavesWork)
  );
}

/** Whether a granted request needs further work: an event, a lease, a reservation. */
const leavesWork = (policy: Policy): boolean =>
  policy.shadow || policy.alertAt !== undefined || isConcurrency(policy) || isEstimated(policy, 1);

/** The cost of a request that counts as `times` requests, such as a batch. */
function multiplyCost(cost: RateLimitCost, times: number): RateLimitCost {
  if (typeof cost === 'number') return cost * times;
  // Checked before the multiplication, so that an error shows what the function returned.
  return async (request, context) => checkCost(await cost(request, context)) * times;
}
