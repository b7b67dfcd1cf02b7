import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { rawRequest } from '../common/http-request.js';
import { toMessageException } from '../http/message.exception.js';
import { ProblemException } from '../http/problem.exception.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import { readCall, readMessageCall } from '../common/read-call.js';
import { isFromNetwork } from './check-network.js';
import { NETWORK_PROBLEM } from './network.problem.js';

/** Refuses calls from elsewhere than this machine and private networks. `@PrivateNetworkOnly()` binds it. */
@Injectable()
export class PrivateNetworkGuard implements CanActivate {
  constructor(@Inject(RESOLVED_ERRORS) private readonly errors: ResolvedErrors) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const message = readMessageCall(context);
    // Without a request (a microservice's message) there is no address, and nobody is let in.
    const call = readCall(context) ?? message;
    if (call?.state && isFromNetwork(call.state.client, rawRequest(call.request).headers, 'private'))
      return true;
    const rejected = new ProblemException(NETWORK_PROBLEM);
    if (message === undefined) throw rejected;
    return toMessageException(rejected, context, this.errors.typeBase).then(error => {
      throw error;
    });
  }
}
