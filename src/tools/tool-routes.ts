/* Finds the handlers that are tools, once at start-up, so that declarations which differ stop it and lists of tools are complete. */
import type { ModulesContainer, Reflector } from '@nestjs/core';
import { eachHandler, type Handler, RouteMemo } from '../common/each-handler.js';
import type { Tool } from './tool.js';
import type { ToolPolicy } from './tool-policy.js';

/** Where the decorator leaves a handler's tool. */
export const TOOL_KEY = 'agent-security:tool';

/** The tool of each route; `null` for a handler that is none. */
export class ToolRoutes extends RouteMemo<Tool | null> {
  /** Whether there is any. */
  readonly found: boolean = false;

  /** @throws AgentSecurityConfigError for a tool that is declared in two ways */
  constructor(reflector: Reflector, modules: ModulesContainer, policy: ToolPolicy) {
    const read = (handler: Handler): Tool | undefined => reflector.get(TOOL_KEY, handler as never);
    super((_controller, handler) => read(handler) ?? null);
    for (const { controller, handler, name } of eachHandler(modules, { withProviders: true })) {
      const tool = read(handler);
      if (tool === undefined) continue;
      policy.define(tool, `${controller.name}.${name}`);
      this.found = true;
    }
  }
}
