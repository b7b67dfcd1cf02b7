/* Marks the requests that end in the framework's own handlers of unknown paths and of errors. The exception filters behind those are the
 * app's to replace, and may answer with any status: the mark is there whatever they do. */
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
  // Express tells handlers of errors by their four parameters.
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
