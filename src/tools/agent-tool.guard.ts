import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type OnModuleInit,
} from '@nestjs/common';
import { MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { AuditTrail } from '../audit/audit-trail.js';
import { TOOL_KEY } from './agent-tool.decorator.js';
import { joinQuotas } from './quota-pairs.js';
import type { Tool } from './tool.js';
import { ToolPolicy } from './tool-policy.js';
import { auditEntryOf, readToolRequest, toolCallOf } from './tool-request.js';
import { toolRefusal } from './tool-refusal.exception.js';
import { createToolRoutes } from './tool-routes.js';

/** Judges calls of handlers that are tools, behind identity, limits and scopes. */
@Injectable()
export class AgentToolGuard implements CanActivate, OnModuleInit {
  readonly #routes: ReturnType<typeof createToolRoutes>;

  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(ToolPolicy) private readonly policy: ToolPolicy,
    @Inject(AuditTrail) private readonly audit: AuditTrail,
  ) {
    this.#routes = createToolRoutes(reflector, TOOL_KEY);
  }

  /** Finds every tool at start-up, so that two declarations that differ stop it there, and tool lists know them all. */
  onModuleInit(): void {
    const scanner = new MetadataScanner();
    for (const module of this.modules.values()) {
      for (const { metatype } of [...module.controllers.values(), ...module.providers.values()]) {
        const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
        if (typeof prototype !== 'object' || prototype === null) continue;
        for (const name of scanner.getAllMethodNames(prototype)) {
          const method = (prototype as Record<string, () => unknown>)[name]!;
          const tool = this.reflector.get<Tool | undefined>(TOOL_KEY, method);
          if (tool !== undefined) this.policy.define(tool, `${metatype!.name}.${name}`);
        }
      }
    }
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const tool = this.#routes.get(context.getClass(), context.getHandler());
    if (tool === null) return true;
    const request = readToolRequest(context);
    const { state } = request;
    const decision = await this.policy.judge(toolCallOf(tool, request));
    if (decision.allowed) {
      // A gateway's messages share one state, and have no headers.
      if (state !== undefined && context.getType() !== 'ws')
        state.quota = joinQuotas(state.quota, decision.headers);
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
