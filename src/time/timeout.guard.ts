import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ANSWER_NOW, type AnswerNow } from '../http/unread-body.js';
import { type PlatformRequest, type PlatformResponse, rawResponse } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import { requestState } from '../common/request-state.js';
import { RouteMemo } from '../common/each-handler.js';
import { TIMERS, type Timers } from '../common/clock.js';
import { Deadline, type DeadlineLimits, abortRequest } from './deadline.js';
import { DEFAULT_IDLE_MS, type ResolvedRouteTimeout } from './timeout.options.js';

export const TIMEOUT_KEY = 'agent-security:timeout';
export const RESOLVED_TIMEOUT = Symbol('agent-security:timeout-options');

const RETRY_AFTER_SECONDS = 5;

const TIMEOUT_PROBLEM: ProblemFields = {
  status: 503,
  code: 'handler_timeout',
  detail: 'The request took too long.',
  members: { retryable: true, retry_after_seconds: RETRY_AFTER_SECONDS },
};

const LIMITED = Symbol('agent-security:deadline');
type LimitedResponse = PlatformResponse & { [LIMITED]?: true };

/**
 * Starts the time limit of a request. `@Timeout()` and the option `timeout` bind it. A guard, since an interceptor is
 * slower for small requests and cannot respond for a handler that injects the response (`@Res()`).
 * @example
 * class MyTimeoutGuard extends TimeoutGuard {} // extras of forRoot(): { provide: TimeoutGuard, useClass: MyTimeoutGuard }
 */
@Injectable()
export class TimeoutGuard implements CanActivate {
  readonly #limits: RouteMemo<DeadlineLimits | null>;

  constructor(
    @Inject(RESOLVED_TIMEOUT) private readonly settings: ResolvedRouteTimeout,
    @Inject(TIMERS) private readonly timers: Timers,
    @Inject(ANSWER_NOW) private readonly answerNow: AnswerNow,
    reflector: Reflector,
  ) {
    this.#limits = new RouteMemo((controller, handler) => {
      const levels = [handler, controller].map(target =>
        reflector.get<ResolvedRouteTimeout | undefined>(TIMEOUT_KEY, target as never),
      );
      return resolveLimits([...levels, this.settings]);
    });
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const limits = this.#limits.get(context.getClass(), context.getHandler());
    if (limits === null) return true;
    const http = context.switchToHttp();
    const response = http.getResponse<PlatformResponse>();
    const raw = rawResponse(response) as LimitedResponse;
    // The guard may be bound to the class, the handler and the app.
    if (raw[LIMITED]) return true;
    raw[LIMITED] = true;
    const deadline = new Deadline(
      raw,
      limits,
      this.timers,
      () => this.#expire(http.getRequest(), response),
      reason => abortRequest(raw, reason),
    );
    deadline.start();
    return true;
  }

  #expire(request: PlatformRequest, response: PlatformResponse): void {
    const state = requestState(response);
    if (state !== undefined)
      state.limits.quota = [...(state.limits.quota ?? []), 'Retry-After', String(RETRY_AFTER_SECONDS)];
    this.answerNow(request, response, TIMEOUT_PROBLEM);
  }
}

/** The nearest level that sets each of the two limits. */
function resolveLimits(levels: readonly (ResolvedRouteTimeout | undefined)[]): DeadlineLimits | null {
  const handlerMs = levels.find(level => level?.handlerMs !== undefined)?.handlerMs ?? false;
  const idle = levels.find(level => level?.idleMs !== undefined)?.idleMs;
  const idleMs = idle ?? (handlerMs === false ? false : DEFAULT_IDLE_MS);
  return handlerMs === false && idleMs === false ? null : { handlerMs, idleMs };
}
