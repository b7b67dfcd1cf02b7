import { type CanActivate, type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { CLOCK, type Clock } from '../common/clock.js';
import { ProblemException } from '../http/problem.exception.js';
import { requestState } from '../common/request-state.js';
import { RouteMemo } from '../common/route-memo.js';
import { matchesHost } from './check-host.js';
import { AllowHosts } from './host.decorator.js';
import type { HostPatterns } from './host.options.js';
import { hostProblem } from './host.problem.js';
import { logLine } from '../common/log-text.js';

/** Narrows a route to the hosts of its `@AllowHosts()`. The module's own list was checked before the body parser. */
@Injectable()
export class HostGuard implements CanActivate {
  private readonly logger = new Logger(HostGuard.name);
  readonly #patterns: RouteMemo<HostPatterns | null>;

  private loggedMs = -Infinity;

  constructor(
    reflector: Reflector,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#patterns = new RouteMemo(
      (controller, handler) =>
        reflector.getAllAndOverride<HostPatterns | undefined>(AllowHosts.KEY, [
          handler,
          controller as never,
        ]) ?? null,
    );
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const patterns = this.#patterns.get(context.getClass(), context.getHandler());
    if (patterns === null) return true;
    const host = requestState(context.switchToHttp().getResponse())?.host;
    if (host !== undefined && matchesHost(host, patterns)) return true;
    this.note(context, host?.name);
    throw new ProblemException(hostProblem('not-listed'));
  }

  /** At most a line a second: every request of a scan would write one. */
  private note(context: ExecutionContext, host: string | undefined): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.loggedMs < 1_000) return;
    this.loggedMs = nowMs;
    const route = `${context.getClass().name}.${context.getHandler().name}`;
    this.logger.warn(
      logLine`Refused a request to ${route} for host ${host ?? '(none)'}: its @AllowHosts() does not list it.`,
    );
  }
}
