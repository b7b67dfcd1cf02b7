import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import type { PlatformResponse } from '../common/http-request.js';
import { requestState } from '../common/request-state.js';
import { toMessageException } from './message.exception.js';

/** The method of a guard that answers without a promise where nothing is asynchronous. Waiting for one costs a request microseconds. */
export const ACTIVATE = Symbol('agent-security:activate');

interface Guard extends CanActivate {
  [ACTIVATE]?: CanActivate['canActivate'];
}

/** Wraps a guard so that rejected messages and GraphQL operations carry the problem, `retry_after_seconds` included. */
export class MessageGuard implements CanActivate {
  /** A guard of a gateway may also be a global guard (gateway-guards.ts). All guards of one message get the same context. */
  readonly #granted = new WeakSet<ExecutionContext>();

  constructor(
    private readonly inner: Guard,
    private readonly typeBase: string | undefined,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> | Observable<boolean> {
    if (context.getType() !== 'http') return this.#run(context);
    const { inner } = this;
    return inner[ACTIVATE] === undefined || awaitsBody(context)
      ? inner.canActivate(context)
      : inner[ACTIVATE](context);
  }

  async #run(context: ExecutionContext): Promise<boolean> {
    if (this.#granted.has(context)) return true;
    try {
      const decision = await this.inner.canActivate(context);
      const isGranted = isObservable(decision) ? await lastValueFrom(decision) : decision;
      if (isGranted && context.getType() === 'ws') this.#granted.add(context);
      return isGranted;
    } catch (error) {
      throw await toMessageException(error, context, this.typeBase);
    }
  }
}

/**
 * Whether no byte of the body has arrived yet: Express may handle a request before that. The guard of bodies runs later and looks for the
 * first bytes, so the guards before it must not answer at once.
 */
const awaitsBody = (context: ExecutionContext): boolean =>
  requestState(context.getArgByIndex<PlatformResponse>(1))?.body?.bytes === 0;

export const isMessageGuard = (guard: CanActivate): boolean => guard instanceof MessageGuard;
