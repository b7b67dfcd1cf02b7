import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { rawRequest } from '../common/http-request.js';
import type { RequestState } from '../common/request-state.js';
import { readCall } from '../common/read-call.js';
import { stateOfCall } from './auth-call.js';
import { Authenticator } from './authenticator.js';
import { rejectionException } from '../http/rejection.exception.js';
import { RouteAccesses } from './route-accesses.js';

/** Finds out which agent calls, before the limits. A route that is not `@Public()` needs one. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(RouteAccesses) private readonly accesses: RouteAccesses,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    // Brokers have credentials of their own: no agent sends these messages.
    if (context.getType() === 'rpc') return true;
    const { isPublic } = this.accesses.get(context.getClass(), context.getHandler());
    const call = readCall(context);
    // A message of a WebSocket, a GraphQL operation on one among them: what is asked is its handshake, which had no response.
    if (call?.state?.response === undefined) return this.#checkMessage(stateOfCall(context), isPublic);
    const { request, state } = call;
    const found = await this.authenticator.authenticate(rawRequest(request), state, { request, context });
    if (found.kind === 'agent' || (found.kind === 'anonymous' && isPublic)) return true;
    throw rejectionException(found.rejection, state);
  }

  async #checkMessage(state: RequestState | undefined, isPublic: boolean): Promise<boolean> {
    // Without a request at all, nobody can be the agent.
    if (state?.agent === undefined) {
      if (isPublic) return true;
      throw rejectionException(this.authenticator.rejections.missing, state);
    }
    const rejection = await this.authenticator.recheck(state);
    if (rejection === undefined) return true;
    throw rejectionException(rejection, state);
  }
}
