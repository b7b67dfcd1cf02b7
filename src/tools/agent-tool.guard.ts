import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import { joinQuotas } from './quota-pairs.js';
import { ToolPolicy } from './tool-policy.js';
import { auditEntryOf, readToolRequest, toolCallOf } from './tool-request.js';
import { toolRefusal } from './tool-refusal.exception.js';
import { ToolRoutes } from './tool-routes.js';

/** Judges calls of handlers that are tools, behind identity, limits and scopes. `@AgentTool()` binds it. */
@Injectable()
export class AgentToolGuard implements CanActivate {
  constructor(
    @Inject(ToolRoutes) private readonly routes: ToolRoutes,
    @Inject(ToolPolicy) private readonly policy: ToolPolicy,
    @Inject(AuditTrail) private readonly audit: AuditTrail,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    if (tool === null) return true;
    const request = readToolRequest(context);
    const { state } = request;
    const decision = await this.policy.judge(toolCallOf(tool, request));
    if (decision.allowed) {
      if (state !== undefined) state.quota = joinQuotas(state.quota, decision.headers);
      return true;
    }
    // The answer of an HTTP request is watched, and recorded when it has ended.
    if (context.getType() !== 'http' || state === undefined) {
      const { status, code } = decision.problem;
      this.audit.refuse(auditEntryOf(tool, request), { status, code });
    }
    throw toolRefusal(context, decision);
  }
}
