/* The edge in an adapter's two slots, for requests that do not come through the server's own event (`app.inject()`, serverless
 * functions, further listening sockets). The request hook runs first for every request but those that Fastify refuses while
 * routing, and those reach the security hook alone. Each request meets the edge once: its response carries the state by then. */
import type { ServerResponse } from 'node:http';
import type { Log } from '../common/log.js';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { type PlatformRequest, type PlatformResponse, setRequestId } from '../common/http-request.js';
import { requestState } from '../common/request-state.js';
import type { Edge } from './edge.js';

type Done = (error?: unknown) => void;
type RequestHook = (request: PlatformRequest, response: PlatformResponse, done: Done) => unknown;
type SecurityHook = (request: PlatformRequest, response: ServerResponse) => Error | undefined;

interface AdapterSlots {
  onRequestHook?: RequestHook | undefined;
  setOnRequestHook(hook: RequestHook): void;
  registerSecurityHook(hook: SecurityHook): unknown;
  enableCors(...args: unknown[]): unknown;
  disable?(setting: string): unknown;
  getType(): string;
}

export function installEdge(adapter: AbstractHttpAdapter, edge: Edge, corsIsOn: boolean, log: Log): void {
  const slots = adapter as unknown as AdapterSlots;
  installRequestHook(slots, edge);
  if (slots.getType() === 'fastify') installSecurityHook(slots, edge);
  slots.disable?.('x-powered-by');
  if (corsIsOn) warnOfSecondCors(slots, log);
}

/** Runs the edge, then whatever hook the app or a library has set or sets later. */
function installRequestHook(slots: AdapterSlots, edge: Edge): void {
  let inner = slots.onRequestHook;
  const setSlot = slots.setOnRequestHook.bind(slots);
  setSlot(function (this: unknown, request, response, done) {
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
  slots.setOnRequestHook = hook => {
    inner = hook;
  };
}

/** Fastify has one slot and its last caller wins: the app's `useSecurityHeaders()` is to be added, not to replace. */
function installSecurityHook(slots: AdapterSlots, edge: Edge): void {
  const hooks: SecurityHook[] = [];
  const setSlot = slots.registerSecurityHook.bind(slots);
  setSlot((request, response) => {
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
  slots.registerSecurityHook = hook => {
    hooks.push(hook);
  };
}

function warnOfSecondCors(slots: AdapterSlots, log: Log): void {
  const enableCors = slots.enableCors.bind(slots);
  slots.enableCors = (...args) => {
    log.warn(
      'CORS is configured in two places: app.enableCors() (or the cors option of NestFactory.create) and AgentSecurityModule. ' +
        'The module decides; set its "cors" option and remove the call, or keep the call and set cors: false.',
    );
    return enableCors(...args);
  };
}
