import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { RouteResponse } from '../common/describe-route.js';
import type { Handler, HandlerClass } from '../common/each-handler.js';
import { stateOfCall } from '../common/read-call.js';
import { rejectionException } from '../http/problem.exception.js';
import { CHALLENGE } from '../identity/challenge.js';
import { Authenticator } from './authenticator.js';
import { hasAccess, RouteAccesses } from './route-accesses.js';

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

  /** The response to agents without the scopes of a route, for OpenAPI documents. */
  describeRoute(controller: HandlerClass, handler: Handler): readonly RouteResponse[] {
    const { all, any } = this.accesses.get(controller, handler);
    const needs = [
      ...(all.length > 0 ? [`all of ${all.join(', ')}`] : []),
      ...(any.length > 0 ? [`one of ${any.join(', ')}`] : []),
    ];
    if (needs.length === 0) return [];
    const description = `A scope is missing: needs ${needs.join(' and ')}`;
    return [{ status: 403, description, headers: CHALLENGE }];
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() === 'rpc') return true;
    const access = this.accesses.get(context.getClass(), context.getHandler());
    if (access.all.length === 0 && access.any.length === 0) return true;
    const state = stateOfCall(context);
    if (hasAccess(access, state?.agent?.scopes ?? [])) return true;
    throw rejectionException(this.authenticator.rejections.insufficientScope(access.all, access.any), state);
  }
}
