import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { type Observable, tap } from 'rxjs';
import { AuditTrail } from '../audit/audit-trail.js';
import { toMessageException } from '../common/message.exception.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import type { Tool } from './tool.js';
import { auditEntryOf, readToolRequest } from './tool-request.js';
import { toolRefusal } from './tool-refusal.exception.js';
import { ToolRoutes } from './tool-routes.js';
import { ToolRuns } from './tool-runs.js';

/**
 * Puts a call of a tool on record, behind all guards and in front of the handler and its pipes. What cannot be recorded is refused.
 * `@AgentTool()` binds it.
 */
@Injectable()
export class ToolAuditInterceptor implements NestInterceptor {
  constructor(
    @Inject(ToolRoutes) private readonly routes: ToolRoutes,
    @Inject(AuditTrail) private readonly audit: AuditTrail,
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
    const start = await this.audit.begin(auditEntryOf(tool, request));
    if (!start.recorded)
      throw await toMessageException(toolRefusal(context, start), context, this.errors.typeBase);
    const { call } = start;
    // An HTTP answer is watched to its end; of a message or a GraphQL field, all that is seen is what the handler makes of it.
    if (this.runs.started(request.state, call)) return next.handle();
    return next.handle().pipe(
      tap({
        complete: () => call.finish({ outcome: 'ok' }),
        error: () => call.finish({ outcome: 'failed' }),
        unsubscribe: () => call.finish({ outcome: 'aborted' }),
      }),
    );
  }
}
