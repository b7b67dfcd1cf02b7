import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { readCall } from '../common/read-call.js';
import { rejectionException } from '../http/problem.exception.js';
import { CROSS_SITE_KEY } from './cross-site.decorator.js';
import { allowsCrossSite, type CrossSiteOrigins } from './cross-site-origins.js';
import { originProblem } from './decide-cors.js';

/** Rejects a cross-site request that the edge admitted by its path, if it reached a handler whose `@AllowCrossSite()` does not allow it. */
@Injectable()
export class CrossSiteGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    // Of a GraphQL operation, too.
    const state = readCall(context)?.state;
    if (state?.cors.isCrossSite !== true) return true;
    const origins = Reflect.getMetadata(CROSS_SITE_KEY, context.getHandler()) as CrossSiteOrigins | undefined;
    if (origins !== undefined && allowsCrossSite(origins, state.request!)) return true;
    throw rejectionException({ problem: originProblem(state.request!.headers), headers: [] }, state);
  }
}
