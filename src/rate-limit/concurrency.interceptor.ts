import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { INTERCEPTORS_METADATA, SSE_METADATA } from '@nestjs/common/constants.js';
import { type ModulesContainer } from '@nestjs/core';
import { Observable, Subscription } from 'rxjs';
import { eachHandler } from '../common/each-handler.js';
import { ProblemException } from '../http/problem.exception.js';
import { hasResponseEnded, REQUEST_ENDED } from '../common/response-end.js';
import { countHandler, workOf } from './release-when-done.js';
import { type AnyRule, limitsConcurrency } from './limit-rule.js';
import { RATE_LIMIT_KEY } from './rate-limit.options.js';
import { readCall } from '../common/read-call.js';

/** Keeps the lease of a concurrency limit until the handler has ended, and does not start a handler whose response has ended. */
class ConcurrencyInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const work = workOf(readCall(context)?.state);
    if (work === undefined) return next.handle();
    const isStream = Reflect.getMetadata(SSE_METADATA, context.getHandler()) === true;
    return new Observable(subscriber => {
      // Its leases are released.
      if (hasResponseEnded(work.response)) {
        subscriber.error(new ProblemException(REQUEST_ENDED));
        return undefined;
      }
      const end = countHandler(work);
      let hasBegun = false;
      const handler = new Subscription();
      const stop = (): void => {
        handler.unsubscribe();
        end();
      };
      const running = next.handle().subscribe({
        next: (value: unknown) => {
          hasBegun = true;
          if (subscriber.closed) stop();
          else subscriber.next(value);
        },
        error: (error: unknown) => {
          end();
          subscriber.error(error);
        },
        complete: () => {
          end();
          subscriber.complete();
        },
      });
      handler.add(running);
      // An interceptor that unsubscribes (because of a timeout, say) does not stop the promise of a handler: the lease lasts until it ends.
      return () => {
        if (isStream || hasBegun) stop();
      };
    });
  }
}

const INTERCEPTOR = new ConcurrencyInterceptor();

const rulesOf = (target: object): readonly AnyRule[] | undefined =>
  Reflect.getMetadata(RATE_LIMIT_KEY, target) as readonly AnyRule[] | undefined;

/**
 * Binds the interceptor to the handlers with a concurrency limit, as the innermost one: an interceptor of the app may answer for a handler
 * that is still running. To be called before Nest reads the interceptors of its handlers.
 * @param rules of handlers without rules of their own
 */
export function bindConcurrency(modules: ModulesContainer, rules: readonly AnyRule[]): void {
  for (const { controller, handler } of eachHandler(modules, { withProviders: true })) {
    // Methods that are no handlers have no metadata.
    if (Reflect.getMetadataKeys(handler).length === 0) continue;
    const own = rulesOf(handler) ?? rulesOf(controller) ?? rules;
    if (!own.some(limitsConcurrency)) continue;
    const bound = (Reflect.getMetadata(INTERCEPTORS_METADATA, handler) ?? []) as readonly unknown[];
    if (!bound.includes(INTERCEPTOR))
      Reflect.defineMetadata(INTERCEPTORS_METADATA, [...bound, INTERCEPTOR], handler);
  }
}
