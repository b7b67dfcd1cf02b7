import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import { joinQuotas } from './tool-quotas.js';
import { ToolCallRecorder } from './tool-call-recorder.js';
import { ToolPolicy } from './tool-policy.js';
import { readToolRequest, toolCallOf } from './tool-request.js';
import { toToolException } from './tool.exception.js';
import { ToolRoutes } from './tool-routes.js';

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

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    if (tool === null) return true;
    const request = readToolRequest(context);
    const { state } = request;
    const decision = await this.policy.authorize(toolCallOf(tool, request));
    if (!decision.allowed) {
      this.recorder.reject(tool, request, decision.problem);
      throw await toToolException(decision, context, state, this.errors.typeBase);
    }
    if (state !== undefined && context.getType() !== 'ws')
      state.limits.quota = joinQuotas(state.limits.quota, decision.headers);
    return true;
  }
}
