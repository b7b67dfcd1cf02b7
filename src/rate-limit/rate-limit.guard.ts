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
import { eachHandler } from '../common/each-handler.js';
import { rawRequest, rawResponse, requestPath } from '../common/http-request.js';
import { addressBlock } from '../common/ip-address.js';
import { DETAIL_OF_5XX, problemOf, type ProblemFields } from '../common/problem.js';
import { ProblemException } from '../http/problem.exception.js';
import { whenResponseEnds } from '../common/response-end.js';
import { bindConcurrency } from './concurrency.interceptor.js';
import type { RequestState } from '../common/request-state.js';
import { AppFunctionError, AppFunctionFailures, callApp } from './app-function.js';
import {
  type QuotaRequest,
  type QuotaClient,
  checkPartitionKey,
  isConcurrency,
  part,
  parts,
  policiesOf,
  takenOf,
} from '../limiter/quota-request.js';
import {
  type TrackerOverrides,
  createDefaultQuotaRequest,
  createQuotaRequest,
  chargeOf,
  partitionKeysOf,
} from './create-quota-request.js';
import { LimitUnknownError } from './dynamic-limits.js';
import { denies, type QuotaDecision } from '../limiter/consume.js';
import { releaseWhenDone } from './lease.js';
import { isDynamic } from './limit-rule.js';
import { isTimed, KNOWN_DENIALS, nameRequest } from './known-denials.js';
import { createPolicy, type Policy, REQUESTS } from '../limiter/policy.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import { QuotaThrottlerStorage } from './quota-throttler-storage.js';
import { RateLimitException } from './rate-limit.exception.js';
import { LIMITS_UNAVAILABLE } from '../limiter/limits-unavailable.js';
import { rejectionException } from '../http/rejection.exception.js';
import { withoutStack } from '../common/without-stack.js';
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
import type { DenialMemory } from '../limiter/denial-memory.js';
import { createReservation, keepForRequest } from './reservation.js';
import {
  type AnyGroup,
  isEstimated,
  isFixed,
  type QuotaGroup,
  type RoutePlan,
  RoutePlans,
} from './route-plan.js';

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
  private chosen: TrackerOverrides | undefined;
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
    @Optional() @Inject(KNOWN_DENIALS) private readonly denials?: DenialMemory,
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
      if (state !== undefined) state.limits.charged = true;
      return super.canActivate(context);
    }
    if (context.getType() === 'ws') return this.limitMessage(context);
    const call = readCall(context);
    const isGraphql = context.getType<string>() === 'graphql';
    if (call === undefined && !isGraphql) return GRANTED;
    const plan = this.plans.get(context.getClass(), context.getHandler());
    const isCharged = call?.state?.limits.charged === true;
    if (call?.state !== undefined) call.state.limits.charged = true;
    if (plan.groups.length === 0 && plan.lateGroups.length === 0 && plan.tiers.size === 0) return GRANTED;
    if (call === undefined) return this.rejectUnknown();
    // A GraphQL operation asks once for each of its resolvers; the module's quota is taken once an operation.
    if (plan.isModules && (isGraphql ? !this.isFirst(context) : isCharged)) return GRANTED;
    const { request } = call;
    if (this.isExempt(request)) return GRANTED;
    if (!plan.immediate || this.isLate()) return this.decideAsync(context, plan, call);
    const client = clientKey(call);
    const address = addressKeyOf(call);
    const charges = (plan.groups as readonly QuotaGroup[]).map(group => chargeOf(group, client, address));
    const decision = this.limiter.consumeLocally(charges);
    if (!decision.granted && plan.isModules) this.offerDenial(call, decision, this.clock.monotonicMs());
    return this.answer(context, call, decision, undefined);
  }

  /** Whether the execution of a GraphQL operation has not drawn on the module's quota yet. */
  private isFirst(context: ExecutionContext): boolean {
    const execution = executionOf(context);
    if (execution === undefined || this.executions.has(execution)) return false;
    this.executions.add(execution);
    return true;
  }

  /** Nobody can be counted, so that nobody is served: a context that lost its request must not lift the limits. */
  private async rejectUnknown(): Promise<never> {
    const cause = new Error('Return the request from the context function of GraphQLModule, as { req }.');
    this.failures.report(
      new AppFunctionError('Finding the request of a GraphQL operation', readCall, cause),
      undefined,
    );
    throw new ProblemException(FUNCTION_PROBLEM);
  }

  /** A message of a gateway: the limits of its handler, else those of all messages. */
  private limitMessage(context: ExecutionContext): Promise<boolean> {
    const call = readMessageCall(context);
    if (call === undefined) return GRANTED;
    const plan = this.plans.messagePlan(this.plans.get(context.getClass(), context.getHandler()));
    if (plan.groups.length === 0 && plan.lateGroups.length === 0) return GRANTED;
    return this.decideAsync(context, plan, call);
  }

  /**
   * Takes the module's quota for a request that failed in front of this guard (no route, no credential, a malformed body), so that such
   * requests are limited like all others. The decision is by this process's own counts, since who asks cannot wait for a shared store.
   * @returns the exception to answer with, if the client is over its limit
   */
  limitUnguarded(host: ArgumentsHost): unknown {
    const decision = this.chargeUnguarded(readHttpCall(host));
    if (decision?.granted === false)
      return withoutStack(() => new RateLimitException(quotaProblem(decision)));
  }

  /** The same where the answer stands: a client over its limit is refused from its next request on. */
  chargeFailed(state: RequestState): void {
    const call = { request: state.request!, response: state.response, state };
    const decision = this.chargeUnguarded(call);
    if (decision === undefined || decision.granted) return;
    // It says how the limit stands, and not to wait: this answer is no refusal.
    this.writeHeaders(call, { ...decision, granted: true });
    // What another library answers on a route of its own says nothing of the next request there.
    if (!state.outcome.failed && state.challenge === undefined) return;
    this.offerDenial(call, decision, this.clock.monotonicMs());
    state.limits.keepDenial?.();
  }

  private chargeUnguarded(call: Call): QuotaDecision | undefined {
    const { request, state } = call;
    if (state === undefined || state.limits.charged || this.isExempt(request)) return undefined;
    state.limits.charged = true;
    const quotaRequests = this.plans.modulesGroups.map(group => createDefaultQuotaRequest(group, call));
    if (quotaRequests.length === 0) return undefined;
    const decision = this.limiter.consumeLocally(quotaRequests.flatMap(({ charges }) => charges));
    this.limiter.charge(quotaRequests);
    this.writeHeaders(call, decision);
    this.limiter.emitEvents(quotaRequests, decision, quotaClientOf(call));
    return decision;
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
    if (call.state !== undefined) call.state.limits.charged = true;
    if (this.isExempt(call.request)) return undefined;
    try {
      await this.decideAsync(context, this.plans.modulesPlan(cost), call);
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
    const policyState = { policy, remaining: 0, resetMs: timeToBlockExpire * 1000, violated: true };
    throw withoutStack(
      () => new RateLimitException(quotaProblem({ granted: false, policyStates: [policyState] })),
    );
  }

  /** Works out every route's plan at start-up, so that a bad `@Throttle()` stops it there and no request waits for it. */
  private resolvePlans(): void {
    for (const { controller, handler } of eachHandler(this.modules, new MetadataScanner())) {
      this.plans.get(controller, handler);
      if (Reflect.hasMetadata(ROUTE_CONSTRAINTS, handler)) this.denials?.disable();
    }
  }

  /**
   * Lets the edge refuse the next request like this one, unless somebody else has a say in it: a subclass that may let it pass, or an
   * agent, whom the edge does not know.
   */
  private offerDenial({ state, request }: Call, decision: QuotaDecision, decidedMs: number): void {
    if (this.denials === undefined || state === undefined || state.agent !== undefined) return;
    if (this.constructor !== RateLimitGuard || this.settings.partitionKeys || !isTimed(decision)) return;
    const { denials } = this;
    const name = nameRequest(rawRequest(request), state.client);
    if (name !== undefined) state.limits.keepDenial = () => denials.remember(name, [], decision, decidedMs);
  }

  private answer(
    context: ExecutionContext,
    call: Call,
    decision: QuotaDecision,
    quotaRequests: readonly QuotaRequest[] | undefined,
  ): Promise<boolean> {
    this.writeHeaders(call, decision, quotaRequests);
    return decision.granted
      ? GRANTED
      : this.deny(context, decision, quotaRequests?.[0]?.partitionKey ?? clientName(call));
  }

  private async deny(context: ExecutionContext, decision: QuotaDecision, tracker: string): Promise<never> {
    const problem = quotaProblem(decision);
    const { policy, resetMs } = decision.policyStates.find(denies)!;
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
      const text = await this.getErrorMessage(context, detail);
      throw withoutStack(() => new RateLimitException({ ...problem, detail: text }));
    }
    throw withoutStack(() => new RateLimitException(problem));
  }

  private writeHeaders(
    { state, response, isMessage }: Call,
    decision: QuotaDecision,
    quotaRequests?: readonly QuotaRequest[],
  ): void {
    if (isMessage) return;
    const { headers: informative, partitionKeys } = this.settings;
    const keys = partitionKeys && quotaRequests !== undefined ? partitionKeysOf(quotaRequests) : undefined;
    const headers = quotaHeaders(decision, this.clock.epochMs(), informative, keys);
    if (state !== undefined) {
      state.limits.quota = headers;
      return;
    }
    for (let index = 0; index < headers.length; index += 2)
      response?.setHeader(headers[index]!, headers[index + 1]!);
  }

  private async decideAsync(context: ExecutionContext, plan: RoutePlan, call: Call): Promise<boolean> {
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
    const created = await Promise.all(
      groups.map(
        group => group && attempt(() => createQuotaRequest(context, group, call, choices), undefined),
      ),
    );
    const quotaRequests = created.filter(quotaRequest => quotaRequest !== undefined);
    if (quotaRequests.length === 0 && faults.length === 0) return true;
    const decided =
      faults.length > 0 ? undefined : await attempt(() => this.limiter.decide(quotaRequests), undefined);
    if (faults.length > 0) return this.countFaulty(context, call, groups, faults[0]);
    if (decided === undefined) {
      if (this.settings.onStoreError === 'deny') this.denyUndecided(call);
      return true;
    }
    const { decision, chargedMs } = decided;
    const isLasting = plan.isModules && plan.immediate && this.limiter.remembers(decided);
    if (!decision.granted && isLasting) this.offerDenial(call, decision, chargedMs);
    this.limiter.emitEvents(quotaRequests, decision, quotaClientOf(call));
    if (decision.granted) this.keepGranted(call, groups as readonly AnyGroup[], quotaRequests, decided);
    return this.answer(context, call, decision, quotaRequests);
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
    const quotaRequests = parts(
      [...counted, ...modules].map(group => createDefaultQuotaRequest(group, call)),
      policy => !isConcurrency(policy),
    );
    const decided = quotaRequests.length === 0 ? undefined : await this.limiter.decide(quotaRequests);
    if (decided !== undefined) {
      this.limiter.emitEvents(quotaRequests, decided.decision, quotaClientOf(call));
      await this.answer(context, call, decided.decision, quotaRequests);
    }
    if (fault instanceof LimitUnknownError) this.denyUndecided(call);
    const failure =
      fault instanceof AppFunctionError ? fault : new AppFunctionError('A limit', createQuotaRequest, fault);
    const { cause } = failure;
    // A function that throws an exception of the client's mistakes has chosen the answer.
    if (cause instanceof HttpException && cause.getStatus() < 500) throw cause;
    this.failures.report(failure, call.state?.id);
    throw new ProblemException(FUNCTION_PROBLEM);
  }

  /** What a granted request leaves to do: slots to release when it ends, estimates that its handler may settle. */
  private keepGranted(
    call: Call,
    groups: readonly AnyGroup[],
    quotaRequests: readonly QuotaRequest[],
    decided: Decided,
  ): void {
    const response = call.state?.response ?? (call.response && rawResponse(call.response));
    if (quotaRequests.some(quotaRequest => part(quotaRequest, isConcurrency) !== undefined)) {
      const lease = this.limiter.lease(quotaRequests, decided);
      if (lease !== undefined) {
        if (response === undefined) void lease.release();
        else if (call.state === undefined) whenResponseEnds(response, () => void lease.release());
        else releaseWhenDone(call.state, response, lease);
      }
    }
    const { state } = call;
    if (state === undefined) return;
    const estimated = estimatedOf(groups, quotaRequests, decided.decision);
    if (estimated.length === 0) return;
    const { decision, isShared, chargedMs } = decided;
    const onSettled = (settled: QuotaDecision): void => {
      if (!state.outcome.headersWritten) this.writeHeaders(call, updated(decision, settled), quotaRequests);
    };
    const units = estimated[0]!.charges[0]!.cost;
    keepForRequest(
      state,
      createReservation(units, { quotaRequests: estimated, isShared, chargedMs, onSettled }),
    );
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
      value => checkPartitionKey('A tier', value),
    );
  }

  private denyUndecided({ state }: Call): never {
    throw rejectionException(LIMITS_UNAVAILABLE, state);
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

  private choices(): TrackerOverrides {
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

/**
 * What of a request is an estimate, all of it in the units of the first: what its work turns out to cost says nothing of what counts
 * something else. Where a policy counts units of its own, the `cost` of one that counts requests is a weight.
 */
function estimatedOf(
  groups: readonly AnyGroup[],
  quotaRequests: readonly QuotaRequest[],
  decision: QuotaDecision,
): readonly QuotaRequest[] {
  const estimated = takenOf(quotaRequests, decision).map((quotaRequest, index) => {
    const { cost } = groups[index]!;
    return quotaRequest && part(quotaRequest, policy => isEstimated(policy, cost) && !isConcurrency(policy));
  });
  const units = parts(estimated, () => true).flatMap(({ charges }) =>
    charges.flatMap(charge => policiesOf(charge).map(({ unit }) => unit)),
  );
  const unit = units.find(each => each !== REQUESTS) ?? REQUESTS;
  return parts(estimated, policy => policy.unit === unit);
}

function quotaClientOf({ state }: Call): QuotaClient {
  return { requestId: state?.id || undefined, address: state?.client.address, agent: state?.agent?.id };
}

/** The standings of a decision, those that were settled since in their new state. */
function updated(decision: QuotaDecision, settled: QuotaDecision): QuotaDecision {
  const policyStates = decision.policyStates.map(
    policyState => settled.policyStates.find(({ policy }) => policy === policyState.policy) ?? policyState,
  );
  return { ...decision, policyStates };
}
