/* What the edge does in the adapter: it runs in the two hooks, responds to failed streams, and marks failed requests. The hooks are for
 * requests that do not pass the server's own event (`app.inject()`, serverless functions, further listening sockets). The request hook runs
 * first, except for requests that Fastify rejects while routing: those reach the security hook only. A request whose response has a state
 * has already passed the edge. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StreamableFile } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  setRequestId,
} from '../common/http-request.js';
import type { Log } from '../common/log-text.js';
import { continueRequest, requestState } from '../common/request-state.js';
import { hasResponseEnded } from '../common/response-end.js';
import { type AdapterHooks, answerUnroutable, type SecurityHook } from './adapter-hooks.js';
import type { Edge } from './edge.js';
import { urlProblem } from './request-head.js';

interface AdapterMethods extends AdapterHooks {
  enableCors(...args: unknown[]): unknown;
  disable?(setting: string): unknown;
}

export function installEdge(adapter: AbstractHttpAdapter, edge: Edge, corsIsOn: boolean, log: Log): void {
  const methods = adapter as unknown as AdapterMethods;
  installRequestHook(methods, edge);
  if (methods.getType() === 'fastify') installSecurityHook(methods, edge);
  methods.disable?.('x-powered-by');
  if (corsIsOn) warnOfSecondCors(methods, log);
}

/** Runs the edge, then the hook that the app or a library sets, before or later. */
function installRequestHook(methods: AdapterMethods, edge: Edge): void {
  let appHook = methods.onRequestHook;
  methods.setOnRequestHook(function (this: unknown, request, response, done) {
    const proceed = (): unknown => {
      requestState(response)!.outcome.routed = true;
      if (appHook === undefined) return done();
      return appHook.call(this, request, response, done);
    };
    const state = requestState(response);
    if (state !== undefined) {
      // Again: Fastify has wrapped the request, and another listener may have set an ID.
      if (state.id !== '') setRequestId(request, state.id);
      return proceed();
    }
    const admitted = edge.admit(request, response);
    if (typeof admitted !== 'boolean')
      return admitted.then(isAdmitted => (isAdmitted ? continueRequest(response, proceed) : undefined));
    return admitted ? proceed() : undefined;
  });
  methods.setOnRequestHook = hook => {
    appHook = hook;
  };
}

/** Fastify keeps only the last security hook, so the app's `useSecurityHeaders()` is chained. */
function installSecurityHook(methods: AdapterMethods, edge: Edge): void {
  const answer = (request: PlatformRequest, response: ServerResponse): void =>
    edge.answerRejected(request, response, urlProblem(rawRequest(request)));
  if (methods.registerSecurityHook === undefined) return answerUnroutable(methods, answer);
  const hooks: SecurityHook[] = [];
  const setHook = methods.registerSecurityHook.bind(methods);
  setHook((request, response) => {
    if (!requestState(response)?.outcome.routed) {
      answer(request, response);
      return undefined;
    }
    for (const hook of hooks) {
      const error = hook(request, response);
      if (error) return error;
    }
    return undefined;
  });
  methods.registerSecurityHook = hook => {
    hooks.push(hook);
  };
}

function warnOfSecondCors(methods: AdapterMethods, log: Log): void {
  const enableCors = methods.enableCors.bind(methods);
  methods.enableCors = (...args) => {
    log.warn(
      'CORS is configured in two places: app.enableCors() (or the cors option of NestFactory.create) and AgentSecurityModule. ' +
        'The module decides; set its "cors" option and remove the call, or keep the call and set cors: false.',
    );
    return enableCors(...args);
  };
}

type AnswerError = (request: IncomingMessage, response: ServerResponse, error: unknown) => void;
type Reply = (response: ServerResponse, body: unknown, status?: number) => unknown;

interface ExpressApp {
  handle(request: IncomingMessage, response: ServerResponse, done?: (error?: unknown) => void): unknown;
}

/**
 * Responds to requests that no route of Express has answered. Under a global prefix, Nest's 404 and error handlers cover only that prefix;
 * for other paths, Express would send HTML with the path or the stack. Serverless adapters call the app, not the server.
 */
export function installLastHandler(adapter: AbstractHttpAdapter, answer: AnswerError): void {
  const app = adapter.getInstance<ExpressApp>();
  const handle = app.handle.bind(app);
  app.handle = (request, response, done = error => answer(request, response, error)) =>
    handle(request, response, done);
}

/** Each file has its own default function, so its source text is compared to see whether the app has set another. */
const DEFAULT_HANDLER = String(new StreamableFile(new Uint8Array()).errorHandler);

/**
 * Responds with a problem when the stream of a `StreamableFile` fails. Express's adapter passes such an error to the file's own handler,
 * which sends text; Fastify's adapter passes it to the exception filters.
 */
export function installStreamErrors(adapter: AbstractHttpAdapter, answer: AnswerError): void {
  const methods = adapter as unknown as { reply: Reply };
  const reply = methods.reply.bind(adapter);
  methods.reply = (response, body, status) => {
    if (body instanceof StreamableFile) {
      replaceDefault(body, response, answer);
      // A stream that has failed emits nothing more: the response would not end on Nest 12.0.
      const { errored } = body.getStream();
      if (errored) return body.errorHandler(errored, response as never);
    }
    return reply(response, body, status);
  };
}

function replaceDefault(file: StreamableFile, response: ServerResponse, answer: AnswerError): void {
  const original = file.errorHandler;
  if (String(original) !== DEFAULT_HANDLER) return;
  const stream = file.getStream();
  file.setErrorHandler((error, handed) => {
    if (!response.headersSent && !hasResponseEnded(response)) return answer(response.req, response, error);
    if (stream.readableEnded || hasResponseEnded(response)) return original(error, handed);
    // A response that has begun is cut off, so that the file does not look complete. Nest 12.0 would end it.
    file.errorLogger(error);
    response.destroy();
  });
}

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

/**
 * Marks requests that reach the framework's not-found handler or error handler. The app may replace the exception filters, which may
 * respond with any status, so the failure is recorded before them.
 */
export function markFailures(adapter: AbstractHttpAdapter): void {
  const handlers = adapter as unknown as AdapterHandlers;
  const setNotFoundHandler = handlers.setNotFoundHandler?.bind(adapter);
  handlers.setNotFoundHandler = (handler, ...more) =>
    setNotFoundHandler?.(
      (request, response, next) => {
        markFailed(response);
        return handler(request, response, next);
      },
      ...more,
    );
  const setErrorHandler = handlers.setErrorHandler?.bind(adapter);
  // Express recognizes error handlers by their four parameters.
  handlers.setErrorHandler = (handler, ...more) =>
    setErrorHandler?.(
      (error, request, response, next) => {
        markFailed(response);
        return handler(error, request, response, next);
      },
      ...more,
    );
}

function markFailed(response: PlatformResponse): void {
  const state = requestState(response);
  if (state !== undefined) state.outcome.failed = true;
}
