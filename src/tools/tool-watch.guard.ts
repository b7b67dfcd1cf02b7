import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { type PlatformResponse, rawResponse } from '../common/http-request.js';
import { readToolRequest } from './tool-request.js';
import type { ToolRoutes } from './tool-routes.js';
import type { ToolRuns } from './tool-runs.js';

/**
 * The first of all guards, where there are tools: it refuses nobody, and sees to it that a call of a tool which another guard refuses is
 * on record.
 */
export class ToolWatchGuard implements CanActivate {
  constructor(
    private readonly routes: ToolRoutes,
    private readonly runs: ToolRuns,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const tool = this.routes.get(context.getClass(), context.getHandler());
    if (tool === null || context.getType() !== 'http') return true;
    const response = rawResponse(context.switchToHttp().getResponse<PlatformResponse>());
    this.runs.watch(tool, readToolRequest(context), response);
    return true;
  }
}
