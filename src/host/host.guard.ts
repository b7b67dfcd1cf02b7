import { type CanActivate, type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { CLOCK, type Clock } from '../common/clock.js';
import { memoMetadata, type RouteMemo } from '../common/each-handler.js';
import { logLine } from '../common/log-text.js';
import { requestState } from '../common/request-state.js';
import { ProblemException } from '../http/problem.exception.js';
import { hostProblem, matchesHost } from './check-host.js';
import { AllowHosts } from './host.decorator.js';
import type { HostPatterns } from './host.options.js';

/**
 * Rejects requests to a route for hosts that its `@AllowHosts()` does not list. The edge has checked the module's `hosts` before.
 * @example
 * class MyHostGuard extends HostGuard {} // extras of forRoot(): { provide: HostGuard, useClass: MyHostGuard }
 */
@Injectable()
export class HostGuard implements CanActivate {
  readonly #logger = new Logger(HostGuard.name);
  readonly #patterns: RouteMemo<HostPatterns | null>;
  #loggedMs = -Infinity;

  constructor(
    reflector: Reflector,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#patterns = memoMetadata(reflector, AllowHosts.KEY);
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const patterns = this.#patterns.get(context.getClass(), context.getHandler());
    if (patterns === null) return true;
    const host = requestState(context.switchToHttp().getResponse())?.host;
    if (host !== undefined && matchesHost(host, patterns)) return true;
    this.#logRejected(context, host?.name);
    throw new ProblemException(hostProblem('not-listed'));
  }

  /** Writes at most one line per second, so that a scan does not fill the log. */
  #logRejected(context: ExecutionContext, host: string | undefined): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#loggedMs < 1_000) return;
    this.#loggedMs = nowMs;
    const route = `${context.getClass().name}.${context.getHandler().name}`;
    this.#logger.warn(
      logLine`Rejected a request to ${route} for host ${host ?? '(none)'}: its @AllowHosts() does not list it.`,
    );
  }
}
