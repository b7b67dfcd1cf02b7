import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type PlatformResponse, rawResponse } from '../common/http-request.js';
import { TOOL_KEY } from './agent-tool.decorator.js';
import { readToolRequest } from './tool-request.js';
import { createToolRoutes } from './tool-routes.js';
import { ToolRuns } from './tool-runs.js';

/** The first of all guards: it refuses nobody, and sees to it that a call of a tool which another guard refuses is on record. */
@Injectable()
export class ToolWatchGuard implements CanActivate {
  readonly #routes: ReturnType<typeof createToolRoutes>;

  constructor(
    reflector: Reflector,
    private readonly runs: ToolRuns,
  ) {
    this.#routes = createToolRoutes(reflector, TOOL_KEY);
  }

  canActivate(context: ExecutionContext): boolean {
    const tool = this.#routes.get(context.getClass(), context.getHandler());
    if (tool === null || context.getType() !== 'http') return true;
    const response = rawResponse(context.switchToHttp().getResponse<PlatformResponse>());
    this.runs.watch(tool, readToolRequest(context), response);
    return true;
  }
}
