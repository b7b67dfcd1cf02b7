import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import { toMessageException } from './message.exception.js';

/** Wraps a guard so that rejected messages and GraphQL operations carry the problem, `retry_after_seconds` included. */
export class MessageGuard implements CanActivate {
  /** A guard of a gateway may also be a global guard (gateway-guards.ts). All guards of one message get the same context. */
  readonly #granted = new WeakSet<ExecutionContext>();

  constructor(
    private readonly inner: CanActivate,
    private readonly typeBase: string | undefined,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> | Observable<boolean> {
    return context.getType() === 'http' ? this.inner.canActivate(context) : this.#run(context);
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
