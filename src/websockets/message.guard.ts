import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  HttpException,
  type NestInterceptor,
} from '@nestjs/common';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import { problemOf, toProblem } from '../common/problem.js';
import { readMessageCall } from '../rate-limit/read-call.js';

type WsExceptionClass = new (error: object) => Error;

/** Turns a refusal into what gateways tell their clients; of anything else they would say "Internal server error". */
async function toWsException(
  error: unknown,
  context: ExecutionContext,
  typeBase: string | undefined,
): Promise<unknown> {
  const fields =
    problemOf(error) ??
    (error instanceof HttpException && error.getStatus() < 500
      ? { status: error.getStatus(), code: 'refused', detail: error.message }
      : undefined);
  if (fields === undefined) return error;
  // Loaded on demand: who has a gateway has the package, and nobody else needs it.
  const { WsException } = (await import('@nestjs/websockets')) as { WsException: WsExceptionClass };
  const id = readMessageCall(context)?.state?.id || undefined;
  const { status: statusCode, detail, ...problem } = toProblem(fields, typeBase, id);
  const cause = { pattern: context.switchToWs().getPattern() };
  return new WsException({ status: 'error', message: detail ?? fields.code, statusCode, ...problem, cause });
}

/** A guard whose refusals of messages say why, and when to come again. */
export class MessageGuard implements CanActivate {
  constructor(
    private readonly inner: CanActivate,
    private readonly typeBase: string | undefined,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> | Observable<boolean> {
    return context.getType() === 'ws' ? this.#judge(context) : this.inner.canActivate(context);
  }

  async #judge(context: ExecutionContext): Promise<boolean> {
    try {
      const decision = await this.inner.canActivate(context);
      return isObservable(decision) ? await lastValueFrom(decision) : decision;
    } catch (error) {
      throw await toWsException(error, context, this.typeBase);
    }
  }
}

/** The same for an interceptor that refuses. What the handler behind it throws is the gateway's own affair. */
export class MessageInterceptor implements NestInterceptor {
  constructor(
    private readonly inner: NestInterceptor,
    private readonly typeBase: string | undefined,
  ) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'ws') return this.inner.intercept(context, next);
    return Promise.resolve(this.inner.intercept(context, next)).catch(async (error: unknown) => {
      throw await toWsException(error, context, this.typeBase);
    });
  }
}
