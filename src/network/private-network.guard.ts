import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ProblemException } from '../common/problem.exception.js';
import { RouteMemo } from '../common/route-memo.js';
import { readCall, readMessageCall } from '../rate-limit/read-call.js';
import { isWithin } from './address-range.js';
import { NETWORK_PROBLEM } from './network.problem.js';
import { PRIVATE_NETWORK_KEY } from './private-network.decorator.js';

/** Refuses calls of `@PrivateNetworkOnly()` handlers from elsewhere. */
@Injectable()
export class PrivateNetworkGuard implements CanActivate {
  readonly #isPrivate: RouteMemo<boolean>;

  constructor(@Inject(Reflector) reflector: Reflector) {
    this.#isPrivate = new RouteMemo(
      (controller, handler) =>
        reflector.getAllAndOverride<boolean | undefined>(PRIVATE_NETWORK_KEY, [
          handler,
          controller as never,
        ]) === true,
    );
  }

  canActivate(context: ExecutionContext): boolean {
    if (!this.#isPrivate.get(context.getClass(), context.getHandler())) return true;
    // Without a request (a microservice's message) there is no address, and nobody is let in.
    const call = readCall(context) ?? readMessageCall(context);
    if (isWithin(call?.state?.client.address ?? '', 'private')) return true;
    throw new ProblemException(NETWORK_PROBLEM);
  }
}
