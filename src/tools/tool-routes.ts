/* The handlers that are tools: found once, before the app takes requests, so that two declarations that differ stop the start-up, and lists of
 * tools know them all. */
import type { MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { RouteMemo } from '../common/route-memo.js';
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
    scanner: MetadataScanner,
    policy: ToolPolicy,
  ) {
    this.#tools = new RouteMemo((_controller, handler) => this.#read(handler) ?? null);
    let found = false;
    for (const module of modules.values()) {
      for (const { metatype } of [...module.controllers.values(), ...module.providers.values()]) {
        const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
        if (typeof prototype !== 'object' || prototype === null) continue;
        for (const name of scanner.getAllMethodNames(prototype)) {
          const tool = this.#read((prototype as Record<string, () => unknown>)[name]!);
          if (tool === undefined) continue;
          policy.define(tool, `${metatype!.name}.${name}`);
          found = true;
        }
      }
    }
    this.found = found;
  }

  /** The tool of a handler; `null` for one that is none. */
  get(...route: Parameters<RouteMemo<Tool | null>['get']>): Tool | null {
    return this.#tools.get(...route);
  }

  // oxlint-disable-next-line typescript/no-unsafe-function-type -- as Nest hands handlers over
  #read(handler: Function): Tool | undefined {
    return this.reflector.get<Tool | undefined>(TOOL_KEY, handler as never);
  }
}
