/* Errors of the event streams of `@Sse()`. Once a stream has begun, no exception filter can answer, and Nest sends the message of the error
 * to the client: that of every error before Nest 12.2, that of each HttpException later. */
import { STATUS_CODES } from 'node:http';
import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  Logger,
  type NestInterceptor,
} from '@nestjs/common';
import { INTERCEPTORS_METADATA, SSE_METADATA } from '@nestjs/common/constants.js';
import type { ModulesContainer } from '@nestjs/core';
import { catchError, type Observable } from 'rxjs';
import { eachHandler } from '../common/each-handler.js';
import { type PlatformResponse, rawResponse } from '../common/http-request.js';
import { describeError } from './describe-error.js';
import { logFailure } from './log-failure.js';
import type { ResolvedErrors } from './errors.options.js';

export const EVENT_STREAM_ERRORS = Symbol('agent-security:event-stream-errors');

/** Replaces the error by one whose message may be shown, which Nest sends and does not log. */
class EventStreamErrors implements NestInterceptor {
  readonly #logger = new Logger('ProblemDetailsFilter');

  constructor(private readonly exposeMessages: boolean) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response = context.switchToHttp().getResponse<PlatformResponse>();
    return next.handle().pipe(
      catchError((error: unknown) => {
        if (!rawResponse(response).headersSent) throw error;
        logFailure(this.#logger, error, response);
        const { status, detail } = describeError(error, this.exposeMessages);
        throw new HttpException(detail ?? STATUS_CODES[status] ?? 'Error', status);
      }),
    );
  }
}

/**
 * Binds the interceptor to the handlers of event streams, as their outermost one; global interceptors of the app run before it. To be
 * called before Nest reads the interceptors of its handlers. With `errors: false` it removes the one of another app with the same handlers.
 */
export function bindEventStreamErrors(modules: ModulesContainer, errors: ResolvedErrors | false): void {
  const own = errors ? [new EventStreamErrors(errors.exposeMessages)] : [];
  for (const { handler } of eachHandler(modules)) {
    if (Reflect.getMetadata(SSE_METADATA, handler) !== true) continue;
    const bound = (Reflect.getMetadata(INTERCEPTORS_METADATA, handler) ?? []) as readonly unknown[];
    const others = bound.filter(interceptor => !(interceptor instanceof EventStreamErrors));
    Reflect.defineMetadata(INTERCEPTORS_METADATA, [...own, ...others], handler);
  }
}
