import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ArgumentsHost,
  type ExecutionContext,
  HttpException,
  Inject,
  Injectable,
  Logger,
} from '@nestjs/common';
import { MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { ThrottlerGuard, type ThrottlerLimitDetail, type ThrottlerRequest } from '@nestjs/throttler';
import { CLOCK, type Clock } from '../common/clock.js';
import { rawRequest, requestPath } from '../common/http-request.js';
import { addressBlock, type Key64, SHARED_KEY } from '../common/ip-address.js';
import { problemOf, type ProblemFields } from '../common/problem.js';
import { ProblemException } from '../common/problem.exception.js';
import { hashKey } from './hash-key.js';
import {
  addressKeyOf,
  type Call,
  clientAddress,
  clientKey,
  clientName,
  type LimitedRequest,
  readCall,
  readHttpCall,
} from './read-call.js';
import { ShadowReport } from './shadow-report.js';
import type { Charge, Verdict } from './judge.js';
import { GuardedStore } from './guarded-store.js';
import { MemoryThrottlerStorage } from './memory-storage.js';
import { createPolicy } from './policy.js';
import { quotaHeaders, quotaProblem } from './quota-headers.js';
import { refusal } from './rate-limit.exception.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from './rate-limit.options.js';
import { checkCost, RateLimiter } from './rate-limiter.js';
import type { RateLimitKey } from './limit-rule.js';
import { type QuotaGroup, type RoutePlan, RoutePlans } from './route-plan.js';
import type { StoredCharge } from './quota-store.js';

const STORE_PROBLEM: ProblemFields = {
  status: 503,
  code: 'limits_unavailable',
  type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
  detail: 'The limits of this request cannot be judged at the moment.',
  members: { retryable: true, retry_after_seconds: 1 },
};

/** One promise for every request that is granted at once. */
const GRANTED: Promise<boolean> = Promise.resolve(true);

/**
 * Judges a request against all limits of its route together. It is a ThrottlerGuard: `@Throttle()`, `@SkipThrottle()`, a
 * `ThrottlerStorage` and what a subclass overrides (`getTracker`, `generateKey`, `shouldSkip`, `handleRequest`,
 * `throwThrottlingException`, `getErrorMessage`) keep working.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  private readonly plans: RoutePlans;
  private readonly store: GuardedStore | undefined;
  /** Whether a subclass chose its own tracker, key or exemption. */
  private readonly isCustomized: boolean;
  private readonly log = new Logger(RateLimitGuard.name);
  private readonly shadow: ShadowReport;

  constructor(
    @Inject(RESOLVED_RATE_LIMIT) private readonly settings: ResolvedRateLimit,
    // Named, all of them: Nest would take the tokens of ThrottlerGuard's parameters for those that are not.
    @Inject(RateLimiter) private readonly limiter: RateLimiter,
    @Inject(Reflector) reflector: Reflector,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {
    const throttlers = settings.limits.map(({ policy }) => ({
      name: policy.named ? policy.name : 'default',
      limit: policy.limit,
      ttl: policy.windowMs,
    }));
    super(
      { throttlers },
      settings.throttlerStorage ?? new MemoryThrottlerStorage(settings.maxClients, clock),
      reflector,
    );
    this.throttlers = throttlers;
    this.store = settings.store && new GuardedStore(settings.store, clock, this.log);
    this.shadow = new ShadowReport(clock, this.log);
    this.isCustomized =
      this.overrides('getTracker') || this.overrides('generateKey') || this.overrides('shouldSkip');
    this.plans = new RoutePlans(reflector, settings, policies => limiter.createTable(policies));
  }

  override async onModuleInit(): Promise<void> {
    this.commonOptions = {
      getTracker: this.getTracker.bind(this),
      generateKey: this.generateKey.bind(this),
      setHeaders: this.settings.headers,
    };
    this.resolvePlans();
  }

  override canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.handleRequest !== RateLimitGuard.prototype.handleRequest) return super.canActivate(context);
    const call = readCall(context);
    if (call === undefined) return GRANTED;
    const { request, state } = call;
    const plan = this.plans.get(context.getClass(), context.getHandler());
    const first = state === undefined || !state.charged;
    if (state !== undefined) state.charged = true;
    if (plan.groups.length === 0 && plan.lateGroups.length === 0 && plan.tiers.size === 0) return GRANTED;
    // A GraphQL operation asks once for each of its resolvers; the module's quota is taken once a request.
    if (!first && plan.isModules) return GRANTED;
    if (this.isExempt(request)) return GRANTED;
    if (!plan.immediate || this.store !== undefined || this.isCustomized) {
      return this.judgeLater(context, plan, call);
    }
    const client = clientKey(call);
    const address = addressKeyOf(call);
    const charges = plan.groups.map(group => chargeOf(group, client, address));
    return this.settle(context, call, this.limiter.judge(charges));
  }

  /**
   * Takes the module's quota for a request that failed in front of the guards (no route, a malformed body), so that such requests are
   * limited like all others. It is this process's own count: an exception filter cannot wait for a shared store.
   * @returns the exception to answer with, if the client is over its limit
   */
  limitUnguarded(host: ArgumentsHost): unknown {
    const call = readHttpCall(host);
    const { request, state } = call;
    if (state === undefined || state.charged || this.isExempt(request)) return;
    state.charged = true;
    const charges = this.plans.modulesGroups.map(group =>
      chargeOf(
        { ...group, cost: typeof group.cost === 'number' ? group.cost : 1 },
        clientKey(call),
        state.client.key,
      ),
    );
    if (charges.length === 0) return;
    const verdict = this.limiter.judge(charges);
    this.tell(call, verdict);
    if (!verdict.granted && !this.settings.shadow) return refusal(quotaProblem(verdict));
  }

  /**
   * Takes the module's quota for a request that no guard will see: an endpoint that another library mounts on the raw adapter.
   * @returns the problem to answer with, if the client is over its limit
   */
  async limitRaw(
    request: IncomingMessage,
    response: ServerResponse,
    cost = 1,
  ): Promise<ProblemFields | undefined> {
    const context = new ExecutionContextHost([request, response]);
    const call = readHttpCall(context);
    if (call.state !== undefined) call.state.charged = true;
    if (this.isExempt(call.request)) return undefined;
    try {
      await this.judgeLater(context, this.plans.modulesPlan(cost), call);
      return undefined;
    } catch (error) {
      const problem = problemOf(error);
      if (problem !== undefined) return problem;
      if (!(error instanceof HttpException)) throw error;
      // Thrown by a subclass.
      return { status: error.getStatus(), code: 'rate_limited', detail: error.message };
    }
  }

  protected override async handleRequest(_request: ThrottlerRequest): Promise<boolean> {
    return super.handleRequest(_request);
  }

  protected override async getTracker(request: Record<string, unknown>): Promise<string> {
    return addressBlock(clientAddress({ request: request as unknown as LimitedRequest, state: undefined }));
  }

  protected override throwThrottlingException(
    _context: ExecutionContext,
    { limit, ttl, timeToBlockExpire }: ThrottlerLimitDetail,
  ): Promise<void> {
    const policy = createPolicy({ limit, windowMs: ttl });
    const standing = { policy, remaining: 0, resetMs: timeToBlockExpire * 1000, violated: true };
    throw refusal(quotaProblem({ granted: false, standings: [standing] }));
  }

  /** Works out every route's plan at start-up, so that a bad `@Throttle()` stops it there and no request waits for it. */
  private resolvePlans(): void {
    const scanner = new MetadataScanner();
    for (const module of this.modules.values()) {
      for (const { metatype } of module.controllers.values()) {
        if (typeof metatype !== 'function') continue;
        const prototype = metatype.prototype as Record<string, () => unknown>;
        for (const name of scanner.getAllMethodNames(prototype))
          this.plans.get(metatype as Controller, prototype[name]!);
      }
    }
  }

  private settle(
    context: ExecutionContext,
    call: Call,
    verdict: Verdict,
    tracker?: string,
  ): Promise<boolean> {
    this.tell(call, verdict);
    if (verdict.granted) return GRANTED;
    if (this.settings.shadow) {
      this.shadow.note();
      return GRANTED;
    }
    return this.refuse(context, verdict, tracker ?? clientName(call));
  }

  private async refuse(context: ExecutionContext, verdict: Verdict, tracker: string): Promise<never> {
    const problem = quotaProblem(verdict);
    const { policy, resetMs } = verdict.standings.find(({ violated }) => violated)!;
    const seconds = Math.ceil(resetMs / 1000);
    const detail: ThrottlerLimitDetail = {
      limit: policy.limit,
      ttl: policy.windowMs,
      key: tracker,
      tracker,
      totalHits: policy.limit + 1,
      timeToExpire: seconds,
      isBlocked: true,
      timeToBlockExpire: seconds,
    };
    if (this.throwThrottlingException !== RateLimitGuard.prototype.throwThrottlingException) {
      await this.throwThrottlingException(context, detail);
    }
    if (this.getErrorMessage !== RateLimitGuard.prototype.getErrorMessage) {
      throw refusal({ ...problem, detail: await this.getErrorMessage(context, detail) });
    }
    throw refusal(problem);
  }

  private tell({ state, response }: Call, verdict: Verdict): void {
    const headers = quotaHeaders(verdict, this.clock.epochMs(), this.settings.headers);
    if (state === undefined) {
      for (let index = 0; index < headers.length; index += 2)
        response?.setHeader(headers[index]!, headers[index + 1]!);
    } else {
      // In shadow mode nobody is refused, so nobody is told to wait.
      state.quota = this.settings.shadow && !verdict.granted ? headers.slice(2) : headers;
    }
  }

  private async judgeLater(context: ExecutionContext, plan: RoutePlan, call: Call): Promise<boolean> {
    if (await this.shouldSkip(context)) return true;
    const tier = plan.tiers.size > 0 ? await this.tierOf(context, call) : undefined;
    const groups = (tier === undefined ? undefined : plan.tiers.get(tier)) ?? plan.groups;
    const late = await Promise.all(plan.lateGroups.map(make => make(context)));
    const asked = await Promise.all([...groups, ...late].map(group => this.ask(context, group, call)));
    if (asked.length === 0) return true;
    const shared = await this.store?.judge(asked.flatMap(({ stored }) => stored));
    if (this.store !== undefined && shared === undefined) {
      if (this.settings.onStoreError === 'allow') return true;
      if (this.settings.onStoreError === 'deny') this.denyForStore(call);
    }
    const verdict = shared ?? this.limiter.judge(asked.flatMap(({ charges }) => charges));
    return this.settle(context, call, verdict, asked[0]!.tracker);
  }

  private tierOf(
    context: ExecutionContext,
    { request, state }: Call,
  ): string | undefined | Promise<string | undefined> {
    const { tier } = this.settings;
    return tier === undefined ? state?.agent?.tier : tier(request, context);
  }

  /** Works out whom a group belongs to and what it costs this request. */
  private async ask(context: ExecutionContext, group: QuotaGroup, call: Call): Promise<Asked> {
    const { request } = call;
    const { key, cost, throttle, table } = group;
    const units = checkCost(typeof cost === 'function' ? await cost(request, context) : cost);
    const getTracker =
      throttle?.getTracker ?? (this.overrides('getTracker') ? this.getTracker.bind(this) : undefined);
    const generateKey =
      throttle?.generateKey ?? (this.overrides('generateKey') ? this.generateKey.bind(this) : undefined);
    const custom = getTracker
      ? await getTracker(request as unknown as Record<string, unknown>, context)
      : typeof key === 'function'
        ? await key(request, context)
        : undefined;
    const tracker = custom || nameOf(key, call);
    const owner = `${group.scope}:${tracker}`;
    if (generateKey !== undefined) {
      const each = table.policies.flatMap((policy, index) =>
        (group.mask & (1 << index)) === 0 ? [] : [{ policy, index }],
      );
      const keys = each.map(({ policy }) => generateKey(context, tracker, policy.name));
      return {
        tracker,
        stored: each.map(({ policy }, index) => ({ key: keys[index]!, policies: [policy], cost: units })),
        charges: each.map(({ index: bit }, index) => ({
          table,
          mask: 1 << bit,
          key: hashKey(keys[index]!),
          cost: units,
        })),
      };
    }
    // An address is counted under its number, custom keys under their hash; a table shared by routes tells them by the owner.
    const plain = custom === undefined && throttle === undefined;
    const number = numberOf(key, clientKey(call), addressKeyOf(call));
    const policies = table.policies.filter((_policy, index) => (group.mask & (1 << index)) !== 0);
    return {
      tracker,
      stored: [{ key: owner, owner: tracker, policies, cost: units }],
      charges: [{ table, mask: group.mask, key: plain ? number : hashKey(owner), cost: units }],
    };
  }

  private denyForStore({ state }: Call): never {
    if (state !== undefined) state.quota = ['Retry-After', '1'];
    throw new ProblemException(STORE_PROBLEM);
  }

  private isExempt(request: LimitedRequest): boolean {
    const { exemptPaths } = this.settings;
    return exemptPaths.size > 0 && exemptPaths.has(requestPath(rawRequest(request).url ?? ''));
  }

  private overrides(method: 'getTracker' | 'generateKey' | 'shouldSkip'): boolean {
    return this[method] !== RateLimitGuard.prototype[method];
  }
}

type Controller = abstract new (...args: never[]) => unknown;

/** What a group asks, of the process's own counts and of a shared store. */
interface Asked {
  readonly tracker: string;
  readonly stored: readonly StoredCharge[];
  readonly charges: readonly Charge[];
}

function chargeOf({ table, mask, key, cost }: QuotaGroup, client: Key64, address: Key64): Charge {
  return { table, mask, key: numberOf(key, client, address), cost: cost as number };
}

/** A function that names nobody leaves the request to its address. */
function numberOf(key: RateLimitKey, client: Key64, address: Key64): Key64 {
  if (key === 'client') return client;
  return key === 'global' ? SHARED_KEY : address;
}

function nameOf(key: RateLimitKey, call: Call): string {
  if (key === 'client') return clientName(call);
  return key === 'global' ? 'global' : addressBlock(clientAddress(call));
}
