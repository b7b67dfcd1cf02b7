/* What Nest calls for a handler that is a tool: the guard that authorizes the call, and the bindings that record it. */
import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { type Observable, tap } from 'rxjs';
import { rawRequest } from '../common/http-request.js';
import { PROBE } from '../common/probe.js';
import type { RouteResponse } from '../common/describe-route.js';
import type { Handler, HandlerClass } from '../common/each-handler.js';
import type { Rejection } from '../common/rejection.js';
import type { RequestState } from '../common/request-state.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import { rejectionException } from '../http/problem.exception.js';
import { readToolRequest, ToolCallRecorder, type ToolRequest } from './tool-call-recorder.js';
import { ToolPolicy } from './tool-policy.js';
import { joinQuotas } from './tool-quotas.js';
import type { Tool } from './tool.js';
import type { ToolProbe } from './tool-probe.js';
import { ToolRoutes } from './tool-routes.js';
import { toMessageException } from '../http/message.exception.js';

/**
 * Authorizes calls of handlers that are tools and consumes their quota, after identity, limits and scopes. `@AgentTool()` binds it. It is a
 * guard so that an interceptor of the app, such as a cache, cannot answer before it.
 * @example
 * class MyToolGuard extends AgentToolGuard {} // extras of forRoot(): { provide: AgentToolGuard, useClass: MyToolGuard }
 */
@Injectable()
export class AgentToolGuard implements CanActivate {
  constructor(
    @Inject(ToolRoutes) private readonly routes: ToolRoutes,
    @Inject(ToolPolicy) private readonly policy: ToolPolicy,
    @Inject(ToolCallRecorder) private readonly recorder: ToolCallRecorder,
    @Inject(RESOLVED_ERRORS) private readonly errors: ResolvedErrors,
  ) {}

  /** The responses to calls that the policy of the tool denies, for OpenAPI documents. */
  describeRoute(controller: HandlerClass, handler: Handler): readonly RouteResponse[] {
    const tool = this.routes.get(controller, handler);
    return tool === null ? [] : this.policy.describe(tool.name);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    if (tool === null) return true;
    const request = readToolRequest(context);
    const { state, address } = request;
    const decision = await this.policy.authorize({
      tool: tool.name,
      agent: state?.agent,
      address,
      requestId: state?.id,
    });
    if (!decision.allowed) {
      this.recorder.reject(tool, request, decision.problem);
      throw await toException(decision, context, state, this.errors);
    }
    if (state !== undefined && context.getType() !== 'ws')
      state.limits.quotaHeaders = joinQuotas(state.limits.quotaHeaders, decision.headers);
    return true;
  }
}

/**
 * Records calls of tools. It takes two bindings, since Nest runs all guards before the interceptors: only the first guard is called for
 * what another guard rejects, and only an interceptor for each attempt at the handler.
 */
@Injectable()
export class ToolCallInterceptor implements CanActivate, NestInterceptor {
  constructor(
    @Inject(ToolRoutes) private readonly routes: ToolRoutes,
    @Inject(ToolCallRecorder) private readonly recorder: ToolCallRecorder,
    @Inject(RESOLVED_ERRORS) private readonly errors: ResolvedErrors,
    @Inject(PROBE) private readonly probe: ToolProbe | undefined,
  ) {}

  /** As the first of the global guards: opens the call, and rejects nothing. */
  canActivate(context: ExecutionContext): boolean {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    if (tool !== null && context.getType() === 'http') this.recorder.open(tool, readToolRequest(context));
    return true;
  }

  /**
   * As `@AgentTool()` binds it: records an attempt, after all guards and before the handler and its pipes. A call that cannot be
   * recorded, or whose response has ended, is rejected.
   */
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    if (tool === null) return next.handle();
    const request = readToolRequest(context);
    const start = await this.recorder.start(tool, request);
    if (!start.recorded) throw await toException(start, context, request.state, this.errors);
    const running = this.#run(tool, request, next);
    if (request.state?.tool !== undefined) return running;
    // Of a message or a GraphQL field there is no response to wait for: it ends with the handler.
    const { call } = start;
    return running.pipe(
      tap({
        complete: () => call.finish({ outcome: 'ok' }),
        error: () => call.finish({ outcome: 'failed' }),
        unsubscribe: () => call.finish({ outcome: 'aborted' }),
      }),
    );
  }

  #run(tool: Tool, call: ToolRequest, next: CallHandler): Observable<unknown> {
    if (this.probe === undefined) return next.handle();
    const headers = call.request && rawRequest(call.request).headers;
    return this.probe.runTool({ tool, headers, readParams: call.readParams }, () => next.handle());
  }
}

/** The exception that rejects a call. */
function toException(
  rejection: Rejection,
  context: ExecutionContext,
  state: RequestState | undefined,
  { typeBase }: ResolvedErrors,
): Promise<unknown> {
  return toMessageException(rejectionException(rejection, state), context, typeBase);
}
