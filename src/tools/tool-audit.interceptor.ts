import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type Observable, tap } from 'rxjs';
import { AuditTrail } from '../audit/audit-trail.js';
import { TOOL_KEY } from './agent-tool.decorator.js';
import { auditEntryOf, readToolRequest } from './tool-request.js';
import { toolRefusal } from './tool-refusal.exception.js';
import { createToolRoutes } from './tool-routes.js';
import { ToolRuns } from './tool-runs.js';

/** Puts a call of a tool on record, behind all guards and in front of the handler and its pipes. What cannot be recorded is refused. */
@Injectable()
export class ToolAuditInterceptor implements NestInterceptor {
  readonly #routes: ReturnType<typeof createToolRoutes>;

  constructor(
    @Inject(Reflector) reflector: Reflector,
    @Inject(AuditTrail) private readonly audit: AuditTrail,
    @Inject(ToolRuns) private readonly runs: ToolRuns,
  ) {
    this.#routes = createToolRoutes(reflector, TOOL_KEY);
  }

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    const tool = this.#routes.get(context.getClass(), context.getHandler());
    return tool === null ? next.handle() : this.#record(context, next, tool);
  }

  async #record(
    context: ExecutionContext,
    next: CallHandler,
    tool: NonNullable<ReturnType<ReturnType<typeof createToolRoutes>['get']>>,
  ): Promise<Observable<unknown>> {
    const request = readToolRequest(context);
    const start = await this.audit.begin(auditEntryOf(tool, request));
    if (!start.recorded) throw toolRefusal(context, start);
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
