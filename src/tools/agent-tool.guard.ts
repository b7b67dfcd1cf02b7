import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import { toMessageException } from '../http/message.exception.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import { joinQuotas } from './quota-pairs.js';
import { ToolPolicy } from './tool-policy.js';
import { readToolRequest, rejectedEntryOf, toolCallOf } from './tool-request.js';
import { rejectionException } from '../http/rejection.exception.js';
import { ToolRoutes } from './tool-routes.js';

/** Judges calls of handlers that are tools, behind identity, limits and scopes. `@AgentTool()` binds it. */
@Injectable()
export class AgentToolGuard implements CanActivate {
  constructor(
    @Inject(ToolRoutes) private readonly routes: ToolRoutes,
    @Inject(ToolPolicy) private readonly policy: ToolPolicy,
    @Inject(AuditTrail) private readonly audit: AuditTrail,
    @Inject(RESOLVED_ERRORS) private readonly errors: ResolvedErrors,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    try {
      return await this.authorize(context);
    } catch (error) {
      throw await toMessageException(error, context, this.errors.typeBase);
    }
  }

  private async authorize(context: ExecutionContext): Promise<boolean> {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    if (tool === null) return true;
    const request = readToolRequest(context);
    const { state } = request;
    const decision = await this.policy.authorize(toolCallOf(tool, request));
    if (decision.allowed) {
      // A gateway's messages share one state, and have no headers.
      if (state !== undefined && context.getType() !== 'ws')
        state.limits.quota = joinQuotas(state.limits.quota, decision.headers);
      return true;
    }
    // The answer of an HTTP request is watched, and recorded when it has ended.
    if (context.getType() !== 'http' || state === undefined) {
      const { status, code } = decision.problem;
      this.audit.reject(rejectedEntryOf(tool, request, 'rejected'), { status, code });
    }
    throw rejectionException(decision, context.getType() === 'ws' ? undefined : state);
  }
}
