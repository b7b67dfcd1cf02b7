/* What Nest calls to have calls of tools recorded. It takes two bindings, since Nest runs all guards before the interceptors: only the
 * first guard is called for what another guard rejects, and only an interceptor for each attempt at the handler. */
import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { type Observable, tap } from 'rxjs';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import type { Tool } from './tool.js';
import { ToolCallRecorder } from './tool-call-recorder.js';
import { readToolRequest } from './tool-request.js';
import { toToolException } from './tool.exception.js';
import { ToolRoutes } from './tool-routes.js';

@Injectable()
export class ToolCallInterceptor implements CanActivate, NestInterceptor {
  constructor(
    @Inject(ToolRoutes) private readonly routes: ToolRoutes,
    @Inject(ToolCallRecorder) private readonly recorder: ToolCallRecorder,
    @Inject(RESOLVED_ERRORS) private readonly errors: ResolvedErrors,
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
  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    return tool === null ? next.handle() : this.#record(context, next, tool);
  }

  async #record(context: ExecutionContext, next: CallHandler, tool: Tool): Promise<Observable<unknown>> {
    const request = readToolRequest(context);
    const start = await this.recorder.start(tool, request);
    if (!start.recorded) throw await toToolException(start, context, request.state, this.errors.typeBase);
    if (request.state?.tool !== undefined) return next.handle();
    // Of a message or a GraphQL field there is no response to wait for: it ends with the handler.
    const { call } = start;
    return next.handle().pipe(
      tap({
        complete: () => call.finish({ outcome: 'ok' }),
        error: () => call.finish({ outcome: 'failed' }),
        unsubscribe: () => call.finish({ outcome: 'aborted' }),
      }),
    );
  }
}
