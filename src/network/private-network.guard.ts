/* Rejects requests from outside private networks, where the guard or its decorator is bound. */
import { type CanActivate, type ExecutionContext, Inject, Injectable, UseGuards } from '@nestjs/common';
import { rawRequest } from '../common/http-request.js';
import { readCall, readMessageCall } from '../common/read-call.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import { ProblemException, toMessageException } from '../http/problem.exception.js';
import { isFromNetwork, NETWORK_PROBLEM } from './check-network.js';

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
    const rejected = new ProblemException(NETWORK_PROBLEM);
    if (message === undefined) throw rejected;
    return toMessageException(rejected, context, this.errors.typeBase).then(error => {
      throw error;
    });
  }
}

/**
 * Allows requests to a controller or a handler from this machine and from private networks only (RFC 1918, fc00::/7,
 * link-local); other requests get 403 `network_not_allowed`. The client's address is read through `trustProxy`. A peer
 * that is no trusted proxy and sends a forwarded header (`X-Forwarded-For`, `Forwarded`, `X-Real-IP`, `Via` and
 * similar) gets 403 too: its client may be in any network.
 * @example
 * @Get('metrics')
 * @PrivateNetworkOnly()
 * metrics() {}
 */
export function PrivateNetworkOnly(): ClassDecorator & MethodDecorator {
  return UseGuards(PrivateNetworkGuard);
}
