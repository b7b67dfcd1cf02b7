import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import { toMessageException } from './message.exception.js';

/** Wraps a guard so that rejected messages and GraphQL operations carry the problem, `retry_after_seconds` included. */
export class MessageGuard implements CanActivate {
  constructor(
    private readonly inner: CanActivate,
    private readonly typeBase: string | undefined,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> | Observable<boolean> {
    return context.getType() === 'http' ? this.inner.canActivate(context) : this.#run(context);
  }

  async #run(context: ExecutionContext): Promise<boolean> {
    try {
      const decision = await this.inner.canActivate(context);
      return isObservable(decision) ? await lastValueFrom(decision) : decision;
    } catch (error) {
      throw await toMessageException(error, context, this.typeBase);
    }
  }
}
