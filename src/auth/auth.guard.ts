import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { RETRY_AFTER, type RouteResponse } from '../common/describe-route.js';
import type { Handler, HandlerClass } from '../common/each-handler.js';
import { rawRequest } from '../common/http-request.js';
import { readCall, stateOfCall } from '../common/read-call.js';
import type { RequestState } from '../common/request-state.js';
import { rejectionException } from '../http/problem.exception.js';
import { Authenticator } from './authenticator.js';
import { RouteAccesses } from './route-accesses.js';
import { CHALLENGE } from '../identity/challenge.js';

/**
 * Authenticates requests and messages, before the rate limits. Routes that are not `@Public()` require an agent.
 * The module binds it to every route; extend it to add a check of your own.
 * @throws HttpException with the status 401, 403, 429 or 503 and problem details
 * @example
 * class MyAuthGuard extends AuthGuard {} // extras of forRoot(): { provide: AuthGuard, useClass: MyAuthGuard }
 */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(RouteAccesses) private readonly accesses: RouteAccesses,
  ) {}

  /** The responses to requests without a valid credential, for OpenAPI documents. */
  describeRoute(controller: HandlerClass, handler: Handler): readonly RouteResponse[] {
    if (this.accesses.get(controller, handler).isPublic) return [];
    return [
      { status: 401, description: 'The credential is missing or invalid', headers: CHALLENGES },
      ...this.authenticator.describeAttempts(),
      { status: 503, description: 'Credentials cannot be verified at the moment', headers: RETRY_AFTER },
    ];
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    // Message brokers have credentials of their own: agents do not send these messages.
    if (context.getType() === 'rpc') return true;
    const { isPublic } = this.accesses.get(context.getClass(), context.getHandler());
    const call = readCall(context);
    // A WebSocket message, including a GraphQL operation on a WebSocket, is authenticated by its handshake.
    if (call?.state?.response === undefined) return this.#checkMessage(stateOfCall(context), isPublic);
    const { request, state } = call;
    const found = await this.authenticator.authenticate(rawRequest(request), state, { request, context });
    if (found.kind === 'agent' || (found.kind === 'anonymous' && isPublic)) return true;
    throw rejectionException(await found.reject(), state);
  }

  async #checkMessage(state: RequestState | undefined, isPublic: boolean): Promise<boolean> {
    if (state?.agent === undefined && isPublic) return true;
    const rejection =
      state?.agent === undefined
        ? this.authenticator.rejections.missing
        : await this.authenticator.recheck(state);
    if (rejection === undefined) return true;
    throw rejectionException(rejection, state);
  }
}
const CHALLENGES = { ...CHALLENGE, 'X-Token-Expired': '"true" for a credential that has expired.' };
