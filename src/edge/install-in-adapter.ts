/* Runs the edge in the adapter's two hooks, for requests that do not pass the server's own event (`app.inject()`,
 * serverless functions, further listening sockets). The request hook runs first, except for requests that Fastify
 * rejects while routing: those reach the security hook only. A request whose response has a state has already passed
 * the edge. */
import type { ServerResponse } from 'node:http';
import type { Log } from '../common/log.js';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { type PlatformRequest, type PlatformResponse, setRequestId } from '../common/http-request.js';
import { requestState } from '../common/request-state.js';
import type { Edge } from './edge.js';

type Done = (error?: unknown) => void;
type RequestHook = (request: PlatformRequest, response: PlatformResponse, done: Done) => unknown;
type SecurityHook = (request: PlatformRequest, response: ServerResponse) => Error | undefined;

interface AdapterMethods {
  onRequestHook?: RequestHook | undefined;
  setOnRequestHook(hook: RequestHook): void;
  registerSecurityHook(hook: SecurityHook): unknown;
  enableCors(...args: unknown[]): unknown;
  disable?(setting: string): unknown;
  getType(): string;
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
  let inner = methods.onRequestHook;
  const setHook = methods.setOnRequestHook.bind(methods);
  setHook(function (this: unknown, request, response, done) {
    const go = (): unknown => {
      requestState(response)!.outcome.routed = true;
      if (inner === undefined) return done();
      return inner.call(this, request, response, done);
    };
    const state = requestState(response);
    if (state !== undefined) {
      if (state.id !== '') setRequestId(request, state.id);
      return go();
    }
    const admitted = edge.admit(request, response);
    if (typeof admitted !== 'boolean') return admitted.then(goes => (goes ? go() : undefined));
    return admitted ? go() : undefined;
  });
  methods.setOnRequestHook = hook => {
    inner = hook;
  };
}

/** Fastify keeps only the last security hook, so the app's `useSecurityHeaders()` is chained. */
function installSecurityHook(methods: AdapterMethods, edge: Edge): void {
  const hooks: SecurityHook[] = [];
  const setHook = methods.registerSecurityHook.bind(methods);
  setHook((request, response) => {
    if (!requestState(response)?.outcome.routed) {
      edge.answerUnroutable(request, response);
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
