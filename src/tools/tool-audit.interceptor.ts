import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { type Observable, tap } from 'rxjs';
import { toMessageException } from '../http/message.exception.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import type { Tool } from './tool.js';
import { readToolRequest } from './tool-request.js';
import { rejectionException } from '../http/rejection.exception.js';
import { ToolRoutes } from './tool-routes.js';
import { ToolRuns } from './tool-runs.js';

/**
 * Records a call of a tool, after all guards and before the handler and its pipes. A call that cannot be recorded, or whose response has
 * ended meanwhile, is rejected. `@AgentTool()` binds it.
 */
@Injectable()
export class ToolAuditInterceptor implements NestInterceptor {
  constructor(
    @Inject(ToolRoutes) private readonly routes: ToolRoutes,
    @Inject(ToolRuns) private readonly runs: ToolRuns,
    @Inject(RESOLVED_ERRORS) private readonly errors: ResolvedErrors,
  ) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    return tool === null ? next.handle() : this.#record(context, next, tool);
  }

  async #record(context: ExecutionContext, next: CallHandler, tool: Tool): Promise<Observable<unknown>> {
    const request = readToolRequest(context);
    const start = await this.runs.start(tool, request);
    if (!start.recorded) {
      const exception = rejectionException(start, context.getType() === 'ws' ? undefined : request.state);
      throw await toMessageException(exception, context, this.errors.typeBase);
    }
    // The end of a response is recorded when it comes; of a message or a GraphQL field, all that is seen is what the handler makes of it.
    if (start.isWatched) return next.handle();
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
