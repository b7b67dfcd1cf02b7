/* Finds the handlers that are tools, once at start-up, so that declarations which differ stop it and lists of tools are complete. */
import type { ModulesContainer, Reflector } from '@nestjs/core';
import { eachHandler, type Handler, RouteMemo } from '../common/each-handler.js';
import type { Tool } from './tool.js';
import type { ToolPolicy } from './tool-policy.js';

/** Where the decorator leaves a handler's tool. */
export const TOOL_KEY = 'agent-security:tool';

export class ToolRoutes {
  readonly #tools: RouteMemo<Tool | null>;
  /** Whether there is any. */
  readonly found: boolean;

  /** @throws AgentSecurityConfigError for a tool that is declared in two ways */
  constructor(
    private readonly reflector: Pick<Reflector, 'get'>,
    modules: ModulesContainer,
    policy: ToolPolicy,
  ) {
    this.#tools = new RouteMemo((_controller, handler) => this.#read(handler) ?? null);
    let found = false;
    for (const { controller, handler, name } of eachHandler(modules, { withProviders: true })) {
      const tool = this.#read(handler);
      if (tool === undefined) continue;
      policy.define(tool, `${controller.name}.${name}`);
      found = true;
    }
    this.found = found;
  }

  /** The tool of a handler; `null` for one that is none. */
  get(...route: Parameters<RouteMemo<Tool | null>['get']>): Tool | null {
    return this.#tools.get(...route);
  }

  #read(handler: Handler): Tool | undefined {
    return this.reflector.get<Tool | undefined>(TOOL_KEY, handler as never);
  }
}
