import { type ArgumentsHost, type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common';
import { MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { ThrottlerGuard, type ThrottlerLimitDetail, type ThrottlerRequest } from '@nestjs/throttler';
import { CLOCK, type Clock } from '../common/clock.js';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  requestPath,
} from '../common/http-request.js';
import { addressBlock, addressKey, type Key64 } from '../common/ip-address.js';
import { requestState, type RequestState } from '../common/request-state.js';
import { hashKey } from './hash-key.js';
import { type Charge, type Standing, type Verdict } from './judge.js';
import { MemoryThrottlerStorage } from './memory-storage.js';
import { quotaHeaders, quotaProblem } from './quota-headers.js';
import { RateLimitException } from './rate-limit.exception.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from './rate-limit.options.js';
import { checkCost, RateLimiter } from './rate-limiter.js';
import { type QuotaGroup, type RoutePlan, RoutePlans } from './route-plan.js';

type Request = PlatformRequest & { ip?: string };

/** One promise for every request that is granted at once. */
const GRANTED: Promise<boolean> = Promise.resolve(true);

/** A quota that everybody shares, or that nobody could be told apart in. */
const SHARED_KEY: Key64 = { hi: 0xffff_ffff, lo: 0xffff_ffff };

/**
 * Judges a request against all limits of its route together. It is a ThrottlerGuard: `@Throttle()`, `@SkipThrottle()`, a
 * `ThrottlerStorage` and what a subclass overrides (`getTracker`, `generateKey`, `shouldSkip`, `handleRequest`,
 * `throwThrottlingException`, `getErrorMessage`) keep working.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  private readonly plans: RoutePlans;
  /** Whether a subclass chose its own tracker, key or exemption. */
  private readonly isCustomized: boolean;
  private readonly log = new Logger(RateLimitGuard.name);
  private storeFailed = false;
  private shadowRefusals = 0;
  private shadowLoggedMs = -Infinity;

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
      settings.store ?? new MemoryThrottlerStorage(settings.maxClients, clock),
      reflector,
    );
    this.throttlers = throttlers;
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
    const call = this.readCall(context);
    if (call === undefined) return GRANTED;
    const { request, response, state } = call;
    const plan = this.plans.get(context.getClass(), context.getHandler());
    const first = state === undefined || !state.charged;
    if (state !== undefined) state.charged = true;
    if (plan.groups.length === 0 && plan.lateGroups.length === 0) return GRANTED;
    // A GraphQL operation asks once for each of its resolvers; the module's quota is taken once a request.
    if (!first && plan.isModules) return GRANTED;
    if (this.isExempt(request)) return GRANTED;
    if (!plan.immediate || this.settings.store !== undefined || this.isCustomized) {
      return this.judgeLater(context, plan, request, response);
    }
    const clientKey = state?.client.key ?? keyOf(request);
    const charges = plan.groups.map(group => chargeOf(group, clientKey));
    return this.settle(context, response, this.limiter.judge(charges), clientKey);
  }

  /**
   * Takes the module's quota for a request that matched no route, so that probing for paths is limited like calling them.
   * @returns the exception to answer with, if the client is over its limit
   */
  limitUnmatched(host: ArgumentsHost): unknown {
    const { request, response, state } = this.readHttp(host);
    if (state === undefined || state.charged || this.settings.store !== undefined || this.isExempt(request))
      return;
    state.charged = true;
    const charges = this.plans.modulesGroups.map(group =>
      chargeOf({ ...group, cost: typeof group.cost === 'number' ? group.cost : 1 }, state.client.key),
    );
    if (charges.length === 0) return;
    const verdict = this.limiter.judge(charges);
    this.tell(response, verdict);
    if (!verdict.granted && !this.settings.shadow) return new RateLimitException(quotaProblem(verdict));
  }

  protected override async handleRequest(_request: ThrottlerRequest): Promise<boolean> {
    return super.handleRequest(_request);
  }

  protected override async getTracker(request: Record<string, unknown>): Promise<string> {
    return addressBlock(clientAddress(request as unknown as Request));
  }

  protected override throwThrottlingException(
    context: ExecutionContext,
    detail: ThrottlerLimitDetail,
  ): Promise<void> {
    void context;
    void detail;
    throw new RateLimitException({ status: 429, code: 'rate_limited' });
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
    response: PlatformResponse,
    verdict: Verdict,
    key: Key64 | string,
  ): Promise<boolean> {
    this.tell(response, verdict);
    if (verdict.granted) return GRANTED;
    if (this.settings.shadow) return this.noteShadowRefusal();
    return this.refuse(context, verdict, key);
  }

  private async refuse(context: ExecutionContext, verdict: Verdict, key: Key64 | string): Promise<never> {
    const problem = quotaProblem(verdict);
    const { policy, resetMs } = verdict.standings.find(({ violated }) => violated)!;
    const seconds = Math.ceil(resetMs / 1000);
    if (this.throwThrottlingException !== RateLimitGuard.prototype.throwThrottlingException) {
      await this.throwThrottlingException(context, {
        limit: policy.limit,
        ttl: policy.windowMs,
        key: String(key),
        tracker: String(key),
        totalHits: policy.limit + 1,
        timeToExpire: seconds,
        isBlocked: true,
        timeToBlockExpire: seconds,
      });
    }
    throw new RateLimitException(problem);
  }

  private tell(response: PlatformResponse, verdict: Verdict): void {
    const headers = quotaHeaders(verdict, this.clock.epochMs(), this.settings.headers);
    const state = requestState(response);
    if (state === undefined) {
      for (let index = 0; index < headers.length; index += 2)
        response.setHeader?.(headers[index]!, headers[index + 1]!);
    } else {
      // In shadow mode nobody is refused, so nobody is told to wait.
      state.quota = this.settings.shadow && !verdict.granted ? headers.slice(2) : headers;
    }
  }

  private async judgeLater(
    context: ExecutionContext,
    plan: RoutePlan,
    request: Request,
    response: PlatformResponse,
  ): Promise<boolean> {
    if (await this.shouldSkip(context)) return true;
    const late = await Promise.all(plan.lateGroups.map(make => make(context)));
    const asked = await Promise.all(
      [...plan.groups, ...late].map(group => this.ask(context, group, request, requestState(response))),
    );
    const charges = asked.flatMap(({ charges: own }) => own);
    const verdict =
      this.settings.store === undefined ? this.limiter.judge(charges) : await this.judgeByStore(asked);
    return this.settle(context, response, verdict, asked[0]!.tracker);
  }

  /** Works out whom a group belongs to and what it costs this request. */
  private async ask(
    context: ExecutionContext,
    group: QuotaGroup,
    request: Request,
    state: RequestState | undefined,
  ): Promise<Asked> {
    const { key, cost, throttle, table } = group;
    const units = checkCost(typeof cost === 'function' ? await cost(request, context) : cost);
    const getTracker =
      throttle?.getTracker ?? (this.overrides('getTracker') ? this.getTracker.bind(this) : undefined);
    const generateKey =
      throttle?.generateKey ?? (this.overrides('generateKey') ? this.generateKey.bind(this) : undefined);
    const address = state?.client.address ?? clientAddress(request);
    const custom = getTracker
      ? await getTracker(request as unknown as Record<string, unknown>, context)
      : typeof key === 'function'
        ? await key(request, context)
        : undefined;
    const tracker = custom || (key === 'global' ? 'global' : addressBlock(address));
    const names = table.policies.map(({ name }) => name);
    const texts = names.map(
      name => generateKey?.(context, tracker, name) ?? `${group.scope}:${name}:${tracker}`,
    );
    // Without a key of the user's own, an address is counted under its number: the same quota as on every other route.
    const sameKey = generateKey === undefined;
    if (sameKey && custom === undefined && throttle === undefined) {
      const own = key === 'global' ? SHARED_KEY : (state?.client.key ?? keyOf(request));
      return { group, tracker, texts, charges: [{ table, mask: group.mask, key: own, cost: units }] };
    }
    const charges = names.flatMap((_name, index) =>
      (group.mask & (1 << index)) === 0
        ? []
        : [{ table, mask: 1 << index, key: hashKey(texts[index]!), cost: units }],
    );
    return { group, tracker, texts, charges };
  }

  /** A foreign storage knows one limit at a time, so the policies are asked in turn; the first that refuses ends it. */
  private async judgeByStore(asked: readonly Asked[]): Promise<Verdict> {
    const standings: Standing[] = [];
    try {
      for (const { group, texts } of asked) {
        for (const [index, policy] of group.table.policies.entries()) {
          if ((group.mask & (1 << index)) === 0) continue;
          const block =
            group.throttle === undefined
              ? policy.windowMs
              : Number(group.throttle.blockDuration ?? policy.windowMs);
          const record = await this.storageService.increment(
            texts[index]!,
            policy.windowMs,
            policy.limit,
            block,
            policy.name,
          );
          const seconds = record.isBlocked ? record.timeToBlockExpire : record.timeToExpire;
          const remaining = record.isBlocked ? 0 : Math.max(0, policy.limit - record.totalHits);
          standings.push({
            policy,
            remaining,
            resetMs: Math.max(0, seconds) * 1000,
            violated: record.isBlocked,
          });
          if (record.isBlocked) return { granted: false, standings };
        }
      }
      if (this.storeFailed) this.log.log('The rate-limit store answers again.');
      this.storeFailed = false;
      return { granted: true, standings };
    } catch (error) {
      if (!this.storeFailed)
        this.log.error(`The rate-limit store failed; this process limits by itself: ${String(error)}`);
      this.storeFailed = true;
      return this.limiter.judge(asked.flatMap(({ charges }) => charges));
    }
  }

  private noteShadowRefusal(): Promise<boolean> {
    this.shadowRefusals += 1;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.shadowLoggedMs >= 60_000) {
      this.log.warn(
        `Shadow mode: ${this.shadowRefusals} request(s) since the last report would have been refused.`,
      );
      this.shadowRefusals = 0;
      this.shadowLoggedMs = nowMs;
    }
    return GRANTED;
  }

  private isExempt(request: Request): boolean {
    const { exemptPaths } = this.settings;
    return exemptPaths.size > 0 && exemptPaths.has(requestPath(rawRequest(request).url ?? ''));
  }

  private overrides(method: 'getTracker' | 'generateKey' | 'shouldSkip'): boolean {
    return this[method] !== RateLimitGuard.prototype[method];
  }

  /** The request behind a context; `undefined` where there is none (gateways, microservices, subscriptions). */
  private readCall(context: ExecutionContext): Call | undefined {
    const type = context.getType<string>();
    if (type === 'http') return this.readHttp(context);
    if (type !== 'graphql') return undefined;
    const graphql = context.getArgByIndex<GraphqlContext | undefined>(2);
    const request = graphql?.req ?? graphql?.request;
    const response = graphql?.res ?? graphql?.reply ?? request?.res;
    const state = requestState(response);
    return request && response && state ? { request, response, state } : undefined;
  }

  private readHttp(host: ArgumentsHost): Call {
    const request = host.getArgByIndex<Request>(0);
    const response = host.getArgByIndex<PlatformResponse>(1);
    return { request, response, state: requestState(response) };
  }
}

type Controller = abstract new (...args: never[]) => unknown;

interface Asked {
  readonly group: QuotaGroup;
  readonly tracker: string;
  /** The key of each policy in a shared storage. */
  readonly texts: readonly string[];
  readonly charges: readonly Charge[];
}

interface Call {
  readonly request: Request;
  readonly response: PlatformResponse;
  readonly state: RequestState | undefined;
}

type GraphqlContext = {
  req?: Request & { res?: PlatformResponse };
  request?: Request & { res?: PlatformResponse };
  res?: PlatformResponse;
  reply?: PlatformResponse;
};

function chargeOf({ table, mask, key, cost }: QuotaGroup, clientKey: Key64): Charge {
  return { table, mask, key: key === 'global' ? SHARED_KEY : clientKey, cost: cost as number };
}

function clientAddress(request: Request): string {
  return request.ip ?? rawRequest(request).socket?.remoteAddress ?? '';
}

function keyOf(request: Request): Key64 {
  return addressKey(clientAddress(request)) ?? SHARED_KEY;
}
