import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { rawRequest } from '../common/http-request.js';
import { readCall } from '../rate-limit/read-call.js';
import { stateOfCall } from './auth-call.js';
import { Authenticator } from './authenticator.js';
import { refuse } from './refusal.exception.js';
import { RouteAccesses } from './route-accesses.js';

/** Finds out which agent calls, in front of the limits. A route that is not `@Public()` needs one. */
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
    if (call?.state?.response === undefined) {
      // A message of a WebSocket, GraphQL's among them: its handshake was judged. Without a request at all, nobody can be the agent.
      const state = stateOfCall(context);
      if (isPublic || state?.agent !== undefined) return true;
      throw refuse(this.authenticator.refusals.missing, state);
    }
    const { request, state } = call;
    const found = await this.authenticator.authenticate(rawRequest(request), state, { request, context });
    if (found.kind === 'agent' || (found.kind === 'anonymous' && isPublic)) return true;
    throw refuse(found.refusal, state);
  }
}
