/* Marks requests that reach the framework's not-found handler or error handler. The app may replace the exception
 * filters, which may respond with any status, so the failure is recorded before them. */
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { PlatformRequest, PlatformResponse } from '../common/http-request.js';
import { requestState } from '../common/request-state.js';

type NotFoundHandler = (request: PlatformRequest, response: PlatformResponse, next: unknown) => unknown;
type ErrorHandler = (
  error: unknown,
  request: PlatformRequest,
  response: PlatformResponse,
  next: unknown,
) => unknown;

interface AdapterHandlers {
  setNotFoundHandler?(handler: NotFoundHandler, ...more: unknown[]): unknown;
  setErrorHandler?(handler: ErrorHandler, ...more: unknown[]): unknown;
}

export function markFailures(adapter: AbstractHttpAdapter): void {
  const handlers = adapter as unknown as AdapterHandlers;
  const setNotFoundHandler = handlers.setNotFoundHandler?.bind(adapter);
  handlers.setNotFoundHandler = (handler, ...more) =>
    setNotFoundHandler?.(
      (request, response, next) => {
        mark(response);
        return handler(request, response, next);
      },
      ...more,
    );
  const setErrorHandler = handlers.setErrorHandler?.bind(adapter);
  // Express recognizes error handlers by their four parameters.
  handlers.setErrorHandler = (handler, ...more) =>
    setErrorHandler?.(
      (error, request, response, next) => {
        mark(response);
        return handler(error, request, response, next);
      },
      ...more,
    );
}

function mark(response: PlatformResponse): void {
  const state = requestState(response);
  if (state !== undefined) state.outcome.failed = true;
}
