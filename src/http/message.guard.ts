import type { IncomingMessage } from 'node:http';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
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
    const { method } = context.getArgByIndex<IncomingMessage>(0);
    // Express handles a request before the first bytes of its body arrive. The guard of bodies runs later and looks for them.
    const isBodyless = method === 'GET' || method === 'HEAD';
    return isBodyless && inner[ACTIVATE] !== undefined
      ? inner[ACTIVATE](context)
      : inner.canActivate(context);
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

export const isMessageGuard = (guard: CanActivate): boolean => guard instanceof MessageGuard;
