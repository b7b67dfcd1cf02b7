import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { rawRequest } from '../common/http-request.js';
import { readCall, readMessageCall } from '../common/read-call.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import { rejectionException } from '../http/problem.exception.js';
import { isFromNetwork, NETWORK_PROBLEM } from './check-network.js';
import { toMessageException } from '../http/message.exception.js';

/**
 * Rejects requests and messages from outside this machine and private networks. `@PrivateNetworkOnly()` binds it.
 * @example
 * app.useGlobalGuards(app.get(PrivateNetworkGuard));
 */
@Injectable()
export class PrivateNetworkGuard implements CanActivate {
  constructor(@Inject(RESOLVED_ERRORS) private readonly errors: ResolvedErrors) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const message = readMessageCall(context);
    // A microservice's message has no request and no address, and is rejected.
    const call = readCall(context) ?? message;
    if (call?.state && isFromNetwork(call.state.client, rawRequest(call.request).headers, 'private'))
      return true;
    const rejected = rejectionException({ problem: NETWORK_PROBLEM, headers: [] }, call?.state);
    if (message === undefined) throw rejected;
    return toMessageException(rejected, context, this.errors.typeBase).then(error => {
      throw error;
    });
  }
}
