import { SetMetadata } from '@nestjs/common';
import { type AgentToolOptions, resolveTool } from './tool.js';

/** Where the decorator leaves a handler's tool. */
export const TOOL_KEY = 'agent-security:tool';

/**
 * Makes a handler a tool: who may call it, how often, with what consequences and on whose record.
 * @example
 * @AgentTool('delete_user', { limit: '100/hour', alertAt: [100], scopes: ['users:delete'], impact: 'high', redact: ['password'] })
 * @throws AgentSecurityConfigError when the class is defined, for a name or an option that is wrong
 */
export function AgentTool(name: string, options: AgentToolOptions = {}): MethodDecorator {
  return SetMetadata(TOOL_KEY, resolveTool('@AgentTool()', name, options));
}
