import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { memoMetadata, type RouteMemo } from '../common/each-handler.js';
import { requestState } from '../common/request-state.js';
import { rejectionException } from '../http/problem.exception.js';
import { matchesHost } from './check-host.js';
import { AllowHosts } from './host.decorator.js';
import type { HostPatterns } from './host.options.js';
import { hostProblem } from './host-problem.js';

/**
 * Rejects requests to a route for hosts that its `@AllowHosts()` does not list. The edge has checked the module's `hosts` before.
 * @example
 * class MyHostGuard extends HostGuard {} // extras of forRoot(): { provide: HostGuard, useClass: MyHostGuard }
 */
@Injectable()
export class HostGuard implements CanActivate {
  readonly #patterns: RouteMemo<HostPatterns | null>;

  constructor(reflector: Reflector) {
    this.#patterns = memoMetadata(reflector, AllowHosts.KEY);
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const patterns = this.#patterns.get(context.getClass(), context.getHandler());
    if (patterns === null) return true;
    const state = requestState(context.switchToHttp().getResponse());
    const host = state?.host;
    if (host !== undefined && matchesHost(host, patterns)) return true;
    const route = `${context.getClass().name}.${context.getHandler().name}`;
    const problem = hostProblem('not-listed', host?.name, `the @AllowHosts() of ${route}`);
    throw rejectionException({ problem, headers: [] }, state);
  }
}
