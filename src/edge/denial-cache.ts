/* Known denials. A request that was denied by limits that depend on its client alone is denied again before routing, until one of those
 * limits gives something back. The reset time of the answer counts down. `RateLimitGuard` offers a denial (`offer()`). The denial is kept
 * (`state.limits.keepDenial()`) by `ProblemDetailsFilter`, or by the guard for a request that failed before it. */
import type { IncomingMessage } from 'node:http';
import { type OnApplicationBootstrap, VersioningType } from '@nestjs/common';
import { type ApplicationConfig, type ModulesContainer } from '@nestjs/core';
import type { MayCarryAgent } from '../common/agent.js';
import { BoundedMap } from '../common/bounded-map.js';
import type { Clock } from '../common/clock.js';
import { eachHandler } from '../common/each-handler.js';
import type { EdgeCheck } from '../common/edge-stage.js';
import { requestPath } from '../common/http-request.js';
import { joinKey } from '../common/join-key.js';
import { type ProblemFields, withBodyParts } from '../common/problem.js';
import type { Client, RequestState } from '../common/request-state.js';
import type { PolicyState, QuotaDecision } from '../limiter/consume.js';
import type { DenialKeeper } from '../limiter/quota-request.js';
import { REQUESTS } from '../limiter/policy.js';
import { quotaLines, quotaProblem } from '../limiter/quota-headers.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';

/** Of about 2 kB each. */
const MAX_DENIALS = 10_000;
/** Bounds the size of one denial: clients choose paths and hosts. */
const MAX_TEXT = 512;
/** Headers beside the host that may choose a route. */
const ROUTING_HEADERS = ['x-http-method-override', 'accept-version'] as const;
/** The metadata of Fastify's `@RouteConstraints()`. */
const ROUTE_CONSTRAINTS = '__fastify_route_constraints__';
/** The algorithms that give units back by time alone. */
const TIME_BASED: ReadonlySet<string> = new Set(['sliding-window', 'fixed-window', 'token-bucket']);

interface Denial {
  readonly policyStates: readonly PolicyState[];
  readonly decidedMs: number;
  readonly untilMs: number;
  lastAnswer?: KeptAnswer;
}

/** The answer to a denied request. Its times are in whole seconds: it stays the same until one of them changes. */
interface KeptAnswer {
  readonly quotaLines: string;
  readonly problem: ProblemFields;
  readonly changesMs: number;
}

export class DenialCache implements EdgeCheck, DenialKeeper, OnApplicationBootstrap {
  readonly #denials = new BoundedMap<string, Denial>(MAX_DENIALS);
  #isOn = true;

  constructor(
    private readonly limits: Pick<ResolvedRateLimit, 'headers'>,
    private readonly mayCarryAgent: MayCarryAgent,
    private readonly clock: Clock,
    private readonly config: Pick<ApplicationConfig, 'getVersioning'>,
    private readonly modules: ModulesContainer,
  ) {}

  /** Where headers choose the route, a denial of a path does not hold for the next request to it. */
  onApplicationBootstrap(): void {
    const versioning = this.config.getVersioning();
    if (versioning !== undefined && versioning.type !== VersioningType.URI) this.#isOn = false;
    for (const { handler } of eachHandler(this.modules))
      if (Reflect.hasMetadata(ROUTE_CONSTRAINTS, handler)) this.#isOn = false;
  }

  offer(raw: IncomingMessage, state: RequestState, decision: QuotaDecision, decidedMs: number): void {
    // Requests of agents do not reach this cache. Each call of a tool has its audit record.
    if (!this.#isOn || state.agent !== undefined || state.tool !== undefined) return;
    const { policyStates } = decision;
    const untilMs = decidedMs + denialDurationMs(policyStates);
    const key = denialKey(raw, state.client);
    if (key === undefined || untilMs <= decidedMs) return;
    state.limits.keepDenial = () => this.#denials.set(key, { policyStates, decidedMs, untilMs });
  }

  forget(): void {
    this.#denials.clear();
  }

  check(raw: IncomingMessage, state: RequestState, method: string): ProblemFields | undefined {
    if (this.#denials.size === 0 || method === 'UPGRADE' || this.mayCarryAgent(raw)) return undefined;
    const key = denialKey(raw, state.client);
    const denial = key === undefined ? undefined : this.#denials.get(key);
    if (denial === undefined) return undefined;
    const nowMs = this.clock.monotonicMs();
    if (nowMs >= denial.untilMs) {
      this.#denials.delete(key!);
      return undefined;
    }
    if (denial.lastAnswer === undefined || nowMs >= denial.lastAnswer.changesMs)
      denial.lastAnswer = this.#answerAt(nowMs, denial);
    state.limits.quotaLines = denial.lastAnswer.quotaLines;
    return denial.lastAnswer.problem;
  }

  #answerAt(nowMs: number, { policyStates: decided, decidedMs }: Denial): KeptAnswer {
    const policyStates = decided.map(policyState => ({
      ...policyState,
      resetMs: Math.max(0, policyState.resetMs - (nowMs - decidedMs)),
    }));
    const decision = { granted: false, policyStates };
    return {
      quotaLines: quotaLines(decision, this.clock.epochMs(), this.limits.headers),
      problem: withBodyParts(quotaProblem(decision)),
      changesMs: nowMs + Math.min(...policyStates.map(({ resetMs }) => untilNextSecond(resetMs))),
    };
  }
}

/** How long a time in whole seconds, rounded up, stays the same while it counts down. One that is over or has no end does not change. */
const untilNextSecond = (resetMs: number): number =>
  resetMs > 0 && Number.isFinite(resetMs) ? resetMs - (Math.ceil(resetMs / 1000) - 1) * 1000 : Infinity;

/**
 * Everything that decides which route a request meets and whose quota it takes from, as text.
 * @returns `undefined` if something else may decide it
 */
export function denialKey(
  { method = '', url = '', headers }: IncomingMessage,
  client: Client,
): string | undefined {
  const host = (headers[':authority'] as string | undefined) ?? headers.host ?? '';
  if (url.length + host.length > MAX_TEXT || client.forwardedHosts !== undefined) return undefined;
  for (const name of ROUTING_HEADERS) if (headers[name] !== undefined) return undefined;
  // The reconnect of a stream has a quota of its own.
  if (method === 'GET' && headers['last-event-id'] !== undefined) return undefined;
  return joinKey(client.key.hi, client.key.lo, method, requestPath(url), host);
}

/**
 * How long a denial holds for every request alike: until the first policy gives something back. 0 where time alone does not decide (a
 * concurrency limit, an estimate, shadow mode), or where a request that costs less may be granted.
 */
export function denialDurationMs(policyStates: readonly PolicyState[]): number {
  let firstMs = Infinity;
  for (const { policy, violated, remaining, resetMs } of policyStates) {
    if (!TIME_BASED.has(policy.algorithm) || policy.unit !== REQUESTS || policy.shadow) return 0;
    if (violated && (remaining > 0 || resetMs === Infinity)) return 0;
    if (resetMs > 0) firstMs = Math.min(firstMs, resetMs);
  }
  // Redis reads its clock in whole milliseconds, and the guard reads the time after its decision.
  return firstMs === Infinity ? 0 : firstMs - 1;
}
