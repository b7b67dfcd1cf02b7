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
import { ModulesContainer, Reflector } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { ThrottlerLimitDetail } from '@nestjs/throttler';
import { CLOCK, type Clock } from '../common/clock.js';
import type { RouteResponse } from '../common/describe-route.js';
import { eachHandler, type Handler, type HandlerClass } from '../common/each-handler.js';
import { rawRequest } from '../common/http-request.js';
import { addressBlock } from '../common/ip-address.js';
import { problemOf, type ProblemFields } from '../common/problem.js';
import { OBSERVE_QUOTA, type ObserveQuota } from '../common/quota-observer.js';
import {
  type Call,
  GraphqlOperations,
  type LimitedRequest,
  readCall,
  readHttpCall,
  readMessageCall,
} from '../common/read-call.js';
import type { RequestState } from '../common/request-state.js';
import type { LimitedClient, McpMessageKind } from '../common/unguarded-limiter.js';
import { ACTIVATE } from '../http/message.guard.js';
import { rejectionException } from '../http/problem.exception.js';
import type { QuotaDecision } from '../limiter/consume.js';
import { LIMITS_UNAVAILABLE, QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { quotaProblem } from '../limiter/quota-headers.js';
import { DENIAL_KEEPER, type DenialKeeper } from '../limiter/quota-request.js';
import { AppFunctionFailures } from './app-function.js';
import { bindConcurrency } from './concurrency.interceptor.js';
import { chargesOf, type QuotaGroup } from './create-quota-request.js';
import {
  chargeUnguarded,
  type DeciderParts,
  decideRequest,
  createQuotaWriter,
  isExempt,
} from './decide-request.js';
import { describePlan } from './describe-plan.js';
import { type GuardOverrides, readOverrides } from './guard-overrides.js';
import { assertThrottler, LateThrottlerGuard } from './late-throttler.guard.js';
import { denialException, faultException, unknownRequestException } from './rate-limit.exception.js';
import { QuotaThrottlerStorage } from './quota-throttler-storage.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from './rate-limit.options.js';
import { isEmpty, isReconnect, type RoutePlan, RoutePlans } from './route-plan.js';
import { resetClient } from './reset-client.js';
import { throttlersOf } from './throttle-groups.js';
import { fromThrottlerDetail, toThrottlerDetail } from './throttler-detail.js';
import { clientAddress, clientName } from '../common/call-client.js';

type Activation = boolean | Promise<boolean>;

/**
 * Decides about a request over all limits of its route together. It is a ThrottlerGuard: `@Throttle()`, `@SkipThrottle()`, a
 * `ThrottlerStorage` and what a subclass overrides (`getTracker`, `generateKey`, `shouldSkip`, `handleRequest`,
 * `throwThrottlingException`, `getErrorMessage`) keep working.
 * @example
 * class TenantGuard extends RateLimitGuard {
 *   protected override async getTracker(request: Record<string, unknown>): Promise<string> {
 *     return String(request.tenant);
 *   }
 * }
 */
@Injectable()
export class RateLimitGuard extends LateThrottlerGuard {
  readonly #settings: ResolvedRateLimit;
  readonly #engine: QuotaEngine;
  readonly #clock: Clock;
  readonly #modules: ModulesContainer;
  readonly #denials: DenialKeeper | undefined;
  readonly #plans: RoutePlans;
  readonly #parts: DeciderParts;
  readonly #failures: AppFunctionFailures;
  /** GraphQL operations that have taken from the module's quota. */
  readonly #operations = new GraphqlOperations();
  #overrides: GuardOverrides | undefined;

  constructor(
    @Inject(RESOLVED_RATE_LIMIT) settings: ResolvedRateLimit,
    // All parameters are named: for others Nest would take the tokens of ThrottlerGuard's parameters.
    @Inject(QUOTA_ENGINE) engine: QuotaEngine,
    @Inject(Reflector) reflector: Reflector,
    @Inject(CLOCK) clock: Clock,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Optional() @Inject(DENIAL_KEEPER) denials?: DenialKeeper,
    @Optional() @Inject(OBSERVE_QUOTA) observe?: ObserveQuota,
  ) {
    const { maxClients, throttlerStorage } = settings;
    const throttlers = throttlersOf(settings);
    super({ throttlers }, throttlerStorage ?? new QuotaThrottlerStorage({ maxClients, clock }), reflector);
    this.throttlers = throttlers;
    bindConcurrency(modules, [...settings.limits, ...[...settings.tiers.values()].flat()]);
    const log = new Logger(RateLimitGuard.name);
    this.#settings = settings;
    this.#engine = engine;
    this.#clock = clock;
    this.#modules = modules;
    this.#denials = denials;
    this.#plans = new RoutePlans(reflector, settings, policies => engine.createTable(policies), clock, log);
    const write = createQuotaWriter(settings.headers, clock, observe);
    this.#parts = { settings, engine, plans: this.#plans, write };
    this.#failures = new AppFunctionFailures(clock, log);
  }

  override async onModuleInit(): Promise<void> {
    if (this.constructor !== RateLimitGuard) {
      assertThrottler(this.constructor.name);
      const [getTracker, generateKey] = [this.getTracker.bind(this), this.generateKey.bind(this)];
      this.commonOptions = { getTracker, generateKey, setHeaders: this.#settings.headers };
    }
    // At start-up, so that an invalid `@Throttle()` stops it and no request waits for its plan.
    for (const { controller, handler } of eachHandler(this.#modules)) this.#plans.get(controller, handler);
  }

  /** The responses of a route that exceeds its limits, for OpenAPI documents. */
  describeRoute(controller: HandlerClass, handler: Handler): readonly RouteResponse[] {
    return describePlan(this.#settings, this.#plans.get(controller, handler));
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    return this.#activate(context);
  }

  /** The same for the global guard. @internal */
  [ACTIVATE](context: ExecutionContext): Activation {
    const isOwn = this.canActivate === RateLimitGuard.prototype.canActivate;
    return isOwn ? this.#activate(context) : this.canActivate(context);
  }

  #activate(context: ExecutionContext): Activation {
    if (this.handleRequest !== RateLimitGuard.prototype.handleRequest) {
      const state = readCall(context)?.state;
      if (state !== undefined) state.limits.charged = true;
      return super.canActivate(context);
    }
    if (context.getType() === 'ws') return this.#limitMessage(context);
    const call = readCall(context);
    const isGraphql = context.getType<string>() === 'graphql';
    if (call === undefined && !isGraphql) return true;
    const plan = this.#plans.get(context.getClass(), context.getHandler());
    const isCharged = call?.state?.limits.charged === true;
    if (call?.state !== undefined) call.state.limits.charged = true;
    if (isEmpty(plan)) return true;
    if (call === undefined) throw unknownRequestException(this.#failures);
    // The guard runs for each resolver of a GraphQL operation; the module's quota is taken once for the operation.
    if (plan.hasModuleLimits && (isGraphql ? !this.#operations.isNew(context) : isCharged)) return true;
    if (isExempt(this.#settings, call.request)) return true;
    if (!plan.isImmediate || this.#engine.hasStore || this.#readOverrides().hasAny)
      return this.#decide(context, plan, call);
    const decision = this.#engine.consumeLocally(chargesOf(plan.groups as readonly QuotaGroup[], call));
    if (!decision.granted) {
      if (isReconnect(plan, call)) return this.#decide(context, plan.reconnects!, call);
      this.#offerDenial(call, decision, this.#clock.monotonicMs());
    }
    return this.#answer(context, call, decision);
  }

  /**
   * Takes the module's quota for a request that failed before this guard (no route, no credential, a malformed body), before
   * `ProblemDetailsFilter` answers it. Decides by the counts of this process, since the filter cannot wait for a shared store.
   * @returns the exception to answer with, if the client is over its limit
   * @internal
   */
  limitUnguarded(host: ArgumentsHost): unknown {
    const decision = this.#chargeUnguarded(readHttpCall(host));
    return decision?.granted === false ? denialException(decision) : undefined;
  }

  /**
   * The same when the head of a response is written, whatever filter has chosen it. A client over its limit is denied from its next request
   * on.
   * @internal
   */
  chargeFailed(state: RequestState): void {
    const call = { request: state.request!, response: state.response, state };
    const decision = this.#chargeUnguarded(call);
    if (decision === undefined || decision.granted) return;
    // The headers show the state of the limit without `Retry-After`: this answer is no denial.
    this.#parts.write(call, { ...decision, granted: true });
    // The answer of another library's own route says nothing about the next request there.
    if (!state.outcome.failed && state.rejectionHeaders === undefined) return;
    this.#offerDenial(call, decision, this.#clock.monotonicMs());
    state.limits.keepDenial?.();
  }

  /**
   * Takes from the quotas of MCP endpoints, before routing: no guard runs where a library mounts one on the raw adapter.
   * @returns the problem to answer with, if the client is over its limit
   * @internal
   */
  async limitMcpMessages(
    raw: IncomingMessage,
    response: ServerResponse,
    kind: McpMessageKind,
    count: number,
  ): Promise<ProblemFields | undefined> {
    const context = new ExecutionContextHost([raw, response]);
    const call = readHttpCall(context);
    if (call.state !== undefined) call.state.limits.charged = true;
    if (isExempt(this.#settings, call.request)) return undefined;
    try {
      await this.#decide(context, this.#plans.mcpPlan(kind, count), call);
      return undefined;
    } catch (error) {
      const problem = problemOf(error);
      if (problem !== undefined) return problem;
      if (!(error instanceof HttpException)) throw error;
      // An exception of a subclass.
      return { status: error.getStatus(), code: 'rate_limited', detail: error.message };
    }
  }

  /** Gives a client its units of the module's and the routes' limits back. @internal */
  resetClient(client: LimitedClient): Promise<boolean> {
    return resetClient({ ...this.#parts, denials: this.#denials }, this.#modules, client);
  }

  protected override async getTracker(request: Record<string, unknown>): Promise<string> {
    return addressBlock(clientAddress({ request: request as unknown as LimitedRequest, state: undefined }));
  }

  protected override throwThrottlingException(
    _context: ExecutionContext,
    detail: ThrottlerLimitDetail,
  ): Promise<void> {
    throw denialException(fromThrottlerDetail(detail));
  }

  /** A message of a gateway: the limits of its handler, else `rateLimit.messages`. */
  #limitMessage(context: ExecutionContext): Activation {
    const call = readMessageCall(context);
    if (call === undefined) return true;
    const plan = this.#plans.messagePlan(this.#plans.get(context.getClass(), context.getHandler()));
    return isEmpty(plan) ? true : this.#decide(context, plan, call);
  }

  #chargeUnguarded(call: Call): QuotaDecision | undefined {
    const { request, state } = call;
    if (state === undefined || state.limits.charged || isExempt(this.#settings, request)) return undefined;
    state.limits.charged = true;
    return chargeUnguarded(this.#parts, call);
  }

  async #decide(context: ExecutionContext, plan: RoutePlan, call: Call): Promise<boolean> {
    const found = await decideRequest(this.#parts, context, plan, call, this.#readOverrides());
    if (found.outcome === 'unlimited') return true;
    if (found.outcome === 'unavailable') {
      if (this.#settings.onStoreError === 'deny') throw rejectionException(LIMITS_UNAVAILABLE, call.state);
      return true;
    }
    const { decided, partitionKey } = found;
    if (found.outcome === 'failed') {
      if (decided !== undefined) await this.#answer(context, call, decided.decision, partitionKey);
      throw faultException(found.fault, this.#failures, call.state);
    }
    const { decision, isShared, chargedMs } = found.decided;
    if (!decision.granted && isReconnect(plan, call)) return this.#decide(context, plan.reconnects!, call);
    // A denial by the counts of this process does not hold when the shared store answers again.
    if (!decision.granted && plan.isImmediate && isShared === this.#engine.hasStore)
      this.#offerDenial(call, decision, chargedMs);
    return this.#answer(context, call, decision, partitionKey);
  }

  /** Lets the edge deny the next request like this one, unless this is a subclass, which may grant it. */
  #offerDenial({ state, request }: Call, decision: QuotaDecision, decidedMs: number): void {
    if (state === undefined || this.constructor !== RateLimitGuard) return;
    this.#denials?.offer(rawRequest(request), state, decision, decidedMs);
  }

  #answer(context: ExecutionContext, call: Call, decision: QuotaDecision, key?: string): Activation {
    this.#parts.write(call, decision);
    if (decision.granted) return true;
    call.state?.reject(quotaProblem(decision));
    if (!this.#readOverrides().changesDenial) throw denialException(decision);
    return this.#deny(context, decision, key ?? clientName(call));
  }

  async #deny(context: ExecutionContext, decision: QuotaDecision, tracker: string): Promise<never> {
    const detail = toThrottlerDetail(decision, tracker);
    // A promise that is rejected before it has a handler is reported to the process as an unhandled rejection.
    await undefined;
    if (this.throwThrottlingException !== RateLimitGuard.prototype.throwThrottlingException)
      await this.throwThrottlingException(context, detail);
    if (this.getErrorMessage === RateLimitGuard.prototype.getErrorMessage) throw denialException(decision);
    throw denialException(decision, await this.getErrorMessage(context, detail));
  }

  /** Not read before the first request: a subclass may override in fields, which are set after this class's constructor. */
  #readOverrides(): GuardOverrides {
    return (this.#overrides ??= readOverrides(this, RateLimitGuard.prototype));
  }
}
