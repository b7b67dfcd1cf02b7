import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ArgumentsHost,
  type ExecutionContext,
  HttpException,
  Inject,
  Injectable,
  Logger,
  Optional,
} from '@nestjs/common';
import { MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { ThrottlerGuard, type ThrottlerLimitDetail, type ThrottlerRequest } from '@nestjs/throttler';
import { CLOCK, type Clock } from '../common/clock.js';
import { rawRequest, rawResponse, requestPath } from '../common/http-request.js';
import { addressBlock } from '../common/ip-address.js';
import { DETAIL_OF_5XX, problemOf, type ProblemFields } from '../common/problem.js';
import { ProblemException } from '../http/problem.exception.js';
import { whenResponseEnds } from '../common/response-end.js';
import { bindConcurrency } from './concurrency.interceptor.js';
import type { RequestState } from '../common/request-state.js';
import { AppFunctionError, AppFunctionFailures, callApp } from './app-function.js';
import { type Ask, type Asker, checkOwner, isConcurrency, part, parts, policiesOf, takenOf } from './ask.js';
import { type AskChoices, askByDefault, askGroup, chargeOf, partitionKeysOf } from './ask-group.js';
import { LimitUnknownError } from './dynamic-limits.js';
import { refuses, type Verdict } from '../limiter/judge.js';
import { releaseWhenDone } from './lease.js';
import { isDynamic } from './limit-rule.js';
import { isTimed, KNOWN_REFUSALS, nameRequest } from './known-refusals.js';
import { createPolicy, type Policy, REQUESTS } from '../limiter/policy.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import { QuotaThrottlerStorage } from './quota-throttler-storage.js';
import { refusal } from './rate-limit.exception.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from './rate-limit.options.js';
import { type Decided, RateLimiter } from './rate-limiter.js';
import {
  addressKeyOf,
  type Call,
  clientAddress,
  clientKey,
  clientName,
  executionOf,
  type LimitedRequest,
  readCall,
  readHttpCall,
  readMessageCall,
} from '../common/read-call.js';
import type { RefusalMemory } from '../limiter/refusal-memory.js';
import { createReservation, keepForRequest } from './reservation.js';
import {
  type AnyGroup,
  isEstimated,
  isFixed,
  type QuotaGroup,
  type RoutePlan,
  RoutePlans,
} from './route-plan.js';

const STORE_PROBLEM: ProblemFields = {
  status: 503,
  code: 'limits_unavailable',
  type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
  detail: 'The limits of this request cannot be judged at the moment.',
  members: { retryable: true, retry_after_seconds: 1 },
};

const FUNCTION_PROBLEM: ProblemFields = { status: 500, code: 'internal_error', detail: DETAIL_OF_5XX };

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
  private late: boolean | undefined;
  private chosen: AskChoices | undefined;
  /** Executions of GraphQL operations that have drawn on the module's quota. */
  private readonly executions = new WeakSet<object>();
  private readonly failures: AppFunctionFailures;

  constructor(
    @Inject(RESOLVED_RATE_LIMIT) private readonly settings: ResolvedRateLimit,
    // Named, all of them: Nest would take the tokens of ThrottlerGuard's parameters for those that are not.
    @Inject(RateLimiter) private readonly limiter: RateLimiter,
    @Inject(Reflector) reflector: Reflector,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Optional() @Inject(KNOWN_REFUSALS) private readonly refusals?: RefusalMemory,
  ) {
    const throttlers = settings.limits.flatMap(rule =>
      isDynamic(rule) || rule.policy.shadow || settings.shadow
        ? []
        : [
            {
              name: rule.policy.named ? rule.policy.name : 'default',
              limit: rule.policy.limit,
              ttl: rule.policy.windowMs,
            },
          ],
    );
    super(
      { throttlers },
      settings.throttlerStorage ?? new QuotaThrottlerStorage({ maxClients: settings.maxClients, clock }),
      reflector,
    );
    this.throttlers = throttlers;
    bindConcurrency(modules, [...settings.limits, ...[...settings.tiers.values()].flat()]);
    const createTable = (policies: readonly Policy[]): QuotaTable => limiter.createTable(policies);
    const logger = new Logger(RateLimitGuard.name);
    this.plans = new RoutePlans(reflector, settings, createTable, clock, logger);
    this.failures = new AppFunctionFailures(clock, logger);
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
    if (this.handleRequest !== RateLimitGuard.prototype.handleRequest) {
      const state = readCall(context)?.state;
      if (state !== undefined) state.charged = true;
      return super.canActivate(context);
    }
    if (context.getType() === 'ws') return this.judgeMessage(context);
    const call = readCall(context);
    const isGraphql = context.getType<string>() === 'graphql';
    if (call === undefined && !isGraphql) return GRANTED;
    const plan = this.plans.get(context.getClass(), context.getHandler());
    const isCharged = call?.state?.charged === true;
    if (call?.state !== undefined) call.state.charged = true;
    if (plan.groups.length === 0 && plan.lateGroups.length === 0 && plan.tiers.size === 0) return GRANTED;
    if (call === undefined) return this.refuseUnknown();
    // A GraphQL operation asks once for each of its resolvers; the module's quota is taken once an operation.
    if (plan.isModules && (isGraphql ? !this.isFirst(context) : isCharged)) return GRANTED;
    const { request } = call;
    if (this.isExempt(request)) return GRANTED;
    if (!plan.immediate || this.isLate()) return this.judgeLater(context, plan, call);
    const client = clientKey(call);
    const address = addressKeyOf(call);
    const charges = (plan.groups as readonly QuotaGroup[]).map(group => chargeOf(group, client, address));
    const verdict = this.limiter.judge(charges);
    if (!verdict.granted && plan.isModules) this.offerRefusal(call, verdict, this.clock.monotonicMs());
    return this.settle(context, call, verdict, undefined);
  }

  /** Whether the execution of a GraphQL operation has not drawn on the module's quota yet. */
  private isFirst(context: ExecutionContext): boolean {
    const execution = executionOf(context);
    if (execution === undefined || this.executions.has(execution)) return false;
    this.executions.add(execution);
    return true;
  }

  /** Nobody can be counted, so that nobody is served: a context that lost its request must not lift the limits. */
  private async refuseUnknown(): Promise<never> {
    const cause = new Error('Return the request from the context function of GraphQLModule, as { req }.');
    this.failures.report(
      new AppFunctionError('Finding the request of a GraphQL operation', readCall, cause),
      undefined,
    );
    throw new ProblemException(FUNCTION_PROBLEM);
  }

  /** A message of a gateway: the limits of its handler, else those of all messages. */
  private judgeMessage(context: ExecutionContext): Promise<boolean> {
    const call = readMessageCall(context);
    if (call === undefined) return GRANTED;
    const plan = this.plans.messagePlan(this.plans.get(context.getClass(), context.getHandler()));
    if (plan.groups.length === 0 && plan.lateGroups.length === 0) return GRANTED;
    return this.judgeLater(context, plan, call);
  }

  /**
   * Takes the module's quota for a request that failed in front of this guard (no route, no credential, a malformed body), so that such
   * requests are limited like all others. The decision is by this process's own counts, since who asks cannot wait for a shared store.
   * @returns the exception to answer with, if the client is over its limit
   */
  limitUnguarded(host: ArgumentsHost): unknown {
    const verdict = this.chargeUnguarded(readHttpCall(host));
    if (verdict?.granted === false) return refusal(quotaProblem(verdict));
  }

  /** The same where the answer stands: a client over its limit is refused from its next request on. */
  chargeFailed(state: RequestState): void {
    const call = { request: state.request!, response: state.response, state };
    const verdict = this.chargeUnguarded(call);
    if (verdict === undefined || verdict.granted) return;
    // It says how the limit stands, and not to wait: this answer is no refusal.
    this.tell(call, { ...verdict, granted: true });
    // What another library answers on a route of its own says nothing of the next request there.
    if (!state.failed && state.challenge === undefined) return;
    this.offerRefusal(call, verdict, this.clock.monotonicMs());
    state.keepRefusal?.();
  }

  private chargeUnguarded(call: Call): Verdict | undefined {
    const { request, state } = call;
    if (state === undefined || state.charged || this.isExempt(request)) return undefined;
    state.charged = true;
    const asks = this.plans.modulesGroups.map(group => askByDefault(group, call));
    if (asks.length === 0) return undefined;
    const verdict = this.limiter.judge(asks.flatMap(({ charges }) => charges));
    this.limiter.charge(asks);
    this.tell(call, verdict);
    this.limiter.watch(asks, verdict, askerOf(call));
    return verdict;
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
        for (const name of scanner.getAllMethodNames(prototype)) {
          const handler = prototype[name]!;
          this.plans.get(metatype as Controller, handler);
          if (Reflect.hasMetadata(ROUTE_CONSTRAINTS, handler)) this.refusals?.disable();
        }
      }
    }
  }

  /**
   * Lets the edge refuse the next request like this one, unless somebody else has a say in it: a subclass that may let it pass, or an
   * agent, whom the edge does not know.
   */
  private offerRefusal({ state, request }: Call, verdict: Verdict, judgedMs: number): void {
    if (this.refusals === undefined || state === undefined || state.agent !== undefined) return;
    if (this.constructor !== RateLimitGuard || this.settings.partitionKeys || !isTimed(verdict)) return;
    const { refusals } = this;
    const name = nameRequest(rawRequest(request), state.client);
    if (name !== undefined) state.keepRefusal = () => refusals.remember(name, [], verdict, judgedMs);
  }

  private settle(
    context: ExecutionContext,
    call: Call,
    verdict: Verdict,
    asks: readonly Ask[] | undefined,
  ): Promise<boolean> {
    this.tell(call, verdict, asks);
    return verdict.granted ? GRANTED : this.refuse(context, verdict, asks?.[0]?.owner ?? clientName(call));
  }

  private async refuse(context: ExecutionContext, verdict: Verdict, tracker: string): Promise<never> {
    const problem = quotaProblem(verdict);
    const { policy, resetMs } = verdict.standings.find(refuses)!;
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
    // A promise that is rejected before anybody listens to it is reported to the process, and reported again once somebody does.
    await undefined;
    if (this.throwThrottlingException !== RateLimitGuard.prototype.throwThrottlingException) {
      await this.throwThrottlingException(context, detail);
    }
    if (this.getErrorMessage !== RateLimitGuard.prototype.getErrorMessage) {
      throw refusal({ ...problem, detail: await this.getErrorMessage(context, detail) });
    }
    throw refusal(problem);
  }

  private tell({ state, response, isMessage }: Call, verdict: Verdict, asks?: readonly Ask[]): void {
    if (isMessage) return;
    const { headers: informative, partitionKeys } = this.settings;
    const keys = partitionKeys && asks !== undefined ? partitionKeysOf(asks) : undefined;
    const headers = quotaHeaders(verdict, this.clock.epochMs(), informative, keys);
    if (state !== undefined) {
      state.quota = headers;
      return;
    }
    for (let index = 0; index < headers.length; index += 2)
      response?.setHeader(headers[index]!, headers[index + 1]!);
  }

  private async judgeLater(context: ExecutionContext, plan: RoutePlan, call: Call): Promise<boolean> {
    const faults: unknown[] = [];
    const attempt = async <T>(work: () => Promise<T> | T, otherwise: T): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        faults.push(error);
        return otherwise;
      }
    };
    if (this.overrides('shouldSkip') && (await attempt(() => this.skips(context), false))) return true;
    const tier = plan.tiers.size > 0 ? await attempt(() => this.tierOf(context, call), undefined) : undefined;
    const fixed = (tier === undefined ? undefined : plan.tiers.get(tier)) ?? plan.groups;
    const late = await Promise.all(plan.lateGroups.map(make => attempt(() => make(context), undefined)));
    const groups = [...fixed, ...late];
    const choices = this.choices();
    const asked = await Promise.all(
      groups.map(group => group && attempt(() => askGroup(context, group, call, choices), undefined)),
    );
    const asks = asked.filter(ask => ask !== undefined);
    if (asks.length === 0 && faults.length === 0) return true;
    const decided = faults.length > 0 ? undefined : await attempt(() => this.limiter.decide(asks), undefined);
    if (faults.length > 0) return this.countFaulty(context, call, groups, faults[0]);
    if (decided === undefined) {
      if (this.settings.onStoreError === 'deny') this.denyUnjudged(call);
      return true;
    }
    const { verdict, chargedMs } = decided;
    const isLasting = plan.isModules && plan.immediate && this.limiter.remembers(decided);
    if (!verdict.granted && isLasting) this.offerRefusal(call, verdict, chargedMs);
    this.limiter.watch(asks, verdict, askerOf(call));
    if (verdict.granted) this.follow(call, groups as readonly AnyGroup[], asks, decided);
    return this.settle(context, call, verdict, asks);
  }

  /**
   * Counts a request of which a function of the app has failed: one unit of each of its limits, by the client or the address. It takes no
   * slot, since it does not reach its handler. What has no counts without the function is replaced by the limits of the module.
   */
  private async countFaulty(
    context: ExecutionContext,
    call: Call,
    groups: readonly (AnyGroup | undefined)[],
    fault: unknown,
  ): Promise<never> {
    const counted = groups.filter(group => group !== undefined).filter(isFixed);
    const isPartial = counted.length < groups.length;
    const modules = isPartial
      ? this.plans.modulesGroups.filter(({ table }) => !counted.some(group => group.table === table))
      : [];
    const asks = parts(
      [...counted, ...modules].map(group => askByDefault(group, call)),
      policy => !isConcurrency(policy),
    );
    const decided = asks.length === 0 ? undefined : await this.limiter.decide(asks);
    if (decided !== undefined) {
      this.limiter.watch(asks, decided.verdict, askerOf(call));
      await this.settle(context, call, decided.verdict, asks);
    }
    if (fault instanceof LimitUnknownError) this.denyUnjudged(call);
    const failure =
      fault instanceof AppFunctionError ? fault : new AppFunctionError('A limit', askGroup, fault);
    const { cause } = failure;
    // A function that throws an exception of the client's mistakes has chosen the answer.
    if (cause instanceof HttpException && cause.getStatus() < 500) throw cause;
    this.failures.report(failure, call.state?.id);
    throw new ProblemException(FUNCTION_PROBLEM);
  }

  /** What a granted request leaves to do: slots to release when it ends, estimates that its handler may settle. */
  private follow(call: Call, groups: readonly AnyGroup[], asks: readonly Ask[], decided: Decided): void {
    const response = call.state?.response ?? (call.response && rawResponse(call.response));
    if (asks.some(ask => part(ask, isConcurrency) !== undefined)) {
      const lease = this.limiter.lease(asks, decided);
      if (lease !== undefined) {
        if (response === undefined) void lease.release();
        else if (call.state === undefined) whenResponseEnds(response, () => void lease.release());
        else releaseWhenDone(call.state, response, lease);
      }
    }
    const { state } = call;
    if (state === undefined) return;
    const estimated = estimatedOf(groups, asks, decided.verdict);
    if (estimated.length === 0) return;
    const { verdict, isShared, chargedMs } = decided;
    const onSettled = (settled: Verdict): void => {
      if (!state.headersWritten) this.tell(call, updated(verdict, settled), asks);
    };
    const units = estimated[0]!.charges[0]!.cost;
    keepForRequest(state, createReservation(units, { asks: estimated, isShared, chargedMs, onSettled }));
  }

  private skips(context: ExecutionContext): Promise<boolean> {
    return callApp('shouldSkip()', this.shouldSkip, () => this.shouldSkip(context), Boolean);
  }

  private tierOf(
    context: ExecutionContext,
    { request, state }: Call,
  ): string | undefined | Promise<string | undefined> {
    const { tier } = this.settings;
    if (tier === undefined) return state?.agent?.tier;
    return callApp(
      'rateLimit.tier',
      tier,
      () => tier(request, context),
      value => checkOwner('A tier', value),
    );
  }

  private denyUnjudged({ state }: Call): never {
    if (state !== undefined) state.quota = ['Retry-After', '1'];
    throw new ProblemException(STORE_PROBLEM);
  }

  private isExempt(request: LimitedRequest): boolean {
    const { exemptPaths } = this.settings;
    return exemptPaths.size > 0 && exemptPaths.has(requestPath(rawRequest(request).url ?? ''));
  }

  /**
   * Whether no route can be judged at once: counts are shared, or a subclass chose its own tracker, key or exemption. Not asked before the
   * first request, since a subclass may choose in fields, which it has only once this class's constructor is done.
   */
  private isLate(): boolean {
    this.late ??=
      this.limiter.hasStore ||
      this.settings.partitionKeys ||
      this.overrides('getTracker') ||
      this.overrides('generateKey') ||
      this.overrides('shouldSkip');
    return this.late;
  }

  private choices(): AskChoices {
    this.chosen ??= {
      getTracker: this.overrides('getTracker') ? this.getTracker.bind(this) : undefined,
      generateKey: this.overrides('generateKey') ? this.generateKey.bind(this) : undefined,
    };
    return this.chosen;
  }

  private overrides(method: 'getTracker' | 'generateKey' | 'shouldSkip'): boolean {
    return this[method] !== RateLimitGuard.prototype[method];
  }
}

/** Where Fastify's `@RouteConstraints()` leaves what a route is chosen by beside its path. */
const ROUTE_CONSTRAINTS = '__fastify_route_constraints__';

type Controller = abstract new (...args: never[]) => unknown;

/**
 * What of a request is an estimate, all of it in the units of the first: what its work turns out to cost says nothing of what counts
 * something else. Where a policy counts units of its own, the `cost` of one that counts requests is a weight.
 */
function estimatedOf(groups: readonly AnyGroup[], asks: readonly Ask[], verdict: Verdict): readonly Ask[] {
  const estimated = takenOf(asks, verdict).map((ask, index) => {
    const { cost } = groups[index]!;
    return ask && part(ask, policy => isEstimated(policy, cost) && !isConcurrency(policy));
  });
  const units = parts(estimated, () => true).flatMap(({ charges }) =>
    charges.flatMap(charge => policiesOf(charge).map(({ unit }) => unit)),
  );
  const unit = units.find(each => each !== REQUESTS) ?? REQUESTS;
  return parts(estimated, policy => policy.unit === unit);
}

function askerOf({ state }: Call): Asker {
  return { requestId: state?.id || undefined, address: state?.client.address, agent: state?.agent?.id };
}

/** The standings of a decision, those that were settled since in their new state. */
function updated(verdict: Verdict, settled: Verdict): Verdict {
  const standings = verdict.standings.map(
    standing => settled.standings.find(({ policy }) => policy === standing.policy) ?? standing,
  );
  return { ...verdict, standings };
}
