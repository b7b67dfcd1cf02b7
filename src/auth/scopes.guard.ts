import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { stateOfCall } from './auth-rejections.js';
import { Authenticator } from './authenticator.js';
import { hasAccess } from './route-access.js';
import { rejectionException } from '../http/problem.exception.js';
import { RouteAccesses } from './route-accesses.js';

/**
 * Checks the scopes of a route, after the rate limits, so that requests without the scopes are counted.
 * @throws HttpException with the status 403 and the code `insufficient_scope`
 * @example
 * class MyScopesGuard extends ScopesGuard {} // extras of forRoot(): { provide: ScopesGuard, useClass: MyScopesGuard }
 */
@Injectable()
export class ScopesGuard implements CanActivate {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(RouteAccesses) private readonly accesses: RouteAccesses,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() === 'rpc') return true;
    const access = this.accesses.get(context.getClass(), context.getHandler());
    if (access.isPublic || (access.all.length === 0 && access.any.length === 0)) return true;
    const state = stateOfCall(context);
    if (hasAccess(access, state?.agent?.scopes ?? [])) return true;
    throw rejectionException(this.authenticator.rejections.insufficientScope(access.all, access.any), state);
  }
}
