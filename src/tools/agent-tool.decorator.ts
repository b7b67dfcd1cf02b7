import { applyDecorators, SetMetadata, UseGuards, UseInterceptors } from '@nestjs/common';
import { readArgument } from '../common/read-options.js';
import { AgentToolGuard, ToolCallInterceptor } from './agent-tool.guard.js';
import { type AgentToolOptions, resolveTool } from './tool.options.js';
import { TOOL_KEY } from './tool-routes.js';

/**
 * Declares a handler as a tool: which scopes it needs, how often an agent may call it, and what its audit record shows.
 * @example
 * @AgentTool('delete_user', { limit: '100/hour', alertAt: [100], scopes: ['users:delete'], impact: 'high', redact: ['password'] })
 * @throws AgentSecurityConfigError when the class is defined, for a name or an option that is wrong
 */
export function AgentTool(name: string, ...given: [options?: AgentToolOptions]): MethodDecorator {
  const options = readArgument<AgentToolOptions>('the options of @AgentTool()', given, {});
  // Bound to tools alone: an asynchronous guard and an interceptor cost a third of a small request's time on Fastify.
  return applyDecorators(
    SetMetadata(TOOL_KEY, resolveTool('@AgentTool()', name, options)),
    UseGuards(AgentToolGuard),
    UseInterceptors(ToolCallInterceptor),
  );
}
