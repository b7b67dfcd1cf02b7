/* The time limits of one request: until its response begins, then between two writes. And its AbortSignal, which they abort. */
import type { ServerResponse } from 'node:http';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { TIMERS, type Timers } from '../common/clock.js';
import { RETRY_AFTER, type RouteResponse } from '../common/describe-route.js';
import { type Handler, type HandlerClass, RouteMemo } from '../common/each-handler.js';
import { type PlatformRequest, type PlatformResponse, rawResponse } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import { requestState } from '../common/request-state.js';
import { hasResponseEnded, whenResponseEnds } from '../common/response-end.js';
import { ANSWER_NOW, type AnswerNow } from '../http/unread-body.js';
import { DEFAULT_IDLE_MS, RESOLVED_TIMEOUT, type ResolvedRouteTimeout } from './timeout.options.js';

export const TIMEOUT_KEY = 'agent-security:timeout';

const RETRY_AFTER_SECONDS = 5;

const TIMEOUT_PROBLEM: ProblemFields = {
  status: 503,
  code: 'handler_timeout',
  detail: 'The request took too long.',
  members: { retryable: true, retry_after_seconds: RETRY_AFTER_SECONDS },
};

const LIMITED = Symbol('agent-security:time-limited');
const ABORT_CONTROLLER = Symbol('agent-security:abort-controller');
type LimitedResponse = ServerResponse & { [LIMITED]?: true; [ABORT_CONTROLLER]?: AbortController };

interface Limits {
  readonly handlerMs: number | false;
  readonly idleMs: number | false;
}

/**
 * Starts the time limit of a request. `@Timeout()` and the option `timeout` bind it. A guard, since an interceptor is
 * slower for small requests and cannot respond for a handler that injects the response (`@Res()`).
 * @example
 * class MyTimeoutGuard extends TimeoutGuard {} // extras of forRoot(): { provide: TimeoutGuard, useClass: MyTimeoutGuard }
 */
@Injectable()
export class TimeoutGuard implements CanActivate {
  readonly #limits: RouteMemo<Limits | null>;

  constructor(
    @Inject(RESOLVED_TIMEOUT) settings: Partial<ResolvedRouteTimeout>,
    @Inject(TIMERS) private readonly timers: Timers,
    @Inject(ANSWER_NOW) private readonly answerNow: AnswerNow,
    reflector: Reflector,
  ) {
    this.#limits = new RouteMemo((controller, handler) => {
      const levels = [handler, controller].map(target =>
        reflector.get<ResolvedRouteTimeout | undefined>(TIMEOUT_KEY, target as never),
      );
      return resolveLimits([...levels, settings]);
    });
  }

  /** The response of a handler that takes too long, for OpenAPI documents. */
  describeRoute(controller: HandlerClass, handler: Handler): readonly RouteResponse[] {
    const handlerMs = this.#limits.get(controller, handler)?.handlerMs;
    if (handlerMs === undefined || handlerMs === false) return [];
    const description = `The response did not begin within ${handlerMs / 1_000} s`;
    return [{ status: 503, description, headers: RETRY_AFTER }];
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
    limitResponse(raw, limits, this.timers, () => this.#expire(http.getRequest(), response));
    return true;
  }

  #expire(request: PlatformRequest, response: PlatformResponse): void {
    const state = requestState(response);
    if (state !== undefined)
      state.limits.quotaHeaders = [
        ...(state.limits.quotaHeaders ?? []),
        'Retry-After',
        String(RETRY_AFTER_SECONDS),
      ];
    this.answerNow(request, response, TIMEOUT_PROBLEM);
  }
}

/** The nearest level that sets each of the two limits. */
function resolveLimits(levels: readonly (Partial<ResolvedRouteTimeout> | undefined)[]): Limits | null {
  const handlerMs = levels.find(level => level?.handler !== undefined)?.handler ?? false;
  const idle = levels.find(level => level?.idle !== undefined)?.idle;
  const idleMs = idle ?? (handlerMs === false ? false : DEFAULT_IDLE_MS);
  return handlerMs === false && idleMs === false ? null : { handlerMs, idleMs };
}

/** @param expire called when the response has not begun in time */
function limitResponse(
  response: LimitedResponse,
  { handlerMs, idleMs }: Limits,
  timers: Timers,
  expire: () => void,
): void {
  let timer: unknown;
  let lastSent = -1;
  const wait = (ms: number | false): void => {
    if (ms !== false) timer = timers.start(ms, check);
  };
  const check = (): void => {
    if (response.writableEnded || hasResponseEnded(response)) return;
    const sent = response.socket?.bytesWritten ?? 0;
    if (!response.headersSent && handlerMs !== false) {
      abort(response, 'TimeoutError', 'The handler took too long.');
      expire();
    } else if (response.headersSent && sent === lastSent) {
      abort(response, 'TimeoutError', 'The stream sent nothing for too long.');
      response.destroy();
    } else {
      if (response.headersSent) lastSent = sent;
      wait(idleMs);
    }
  };
  wait(handlerMs === false ? idleMs : handlerMs);
  whenResponseEnds(response, () => timers.stop(timer));
}

/** @param name `TimeoutError` as `AbortSignal.timeout()` has it, or `AbortError` for a client that has disconnected */
function abort(response: LimitedResponse, name: 'TimeoutError' | 'AbortError', message: string): void {
  abortControllerOf(response).abort(new DOMException(message, name));
}

/** The AbortController of a request, created on demand. It aborts when the client disconnects. */
export function abortControllerOf(response: LimitedResponse): AbortController {
  const known = response[ABORT_CONTROLLER];
  if (known !== undefined) return known;
  const controller = (response[ABORT_CONTROLLER] = new AbortController());
  whenResponseEnds(response, isWhole => {
    if (!isWhole) abort(response, 'AbortError', 'The client has disconnected.');
  });
  return controller;
}
