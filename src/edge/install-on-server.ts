/* Runs the edge in the HTTP server's `emit`, before every listener of its events. Listeners of libraries (socket.io's
 * polling, an upgrade proxy) bypass Express and Fastify, and some are added while the server listens. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ProblemFields } from '../common/problem.js';
import { continueRequest, requestState } from '../common/request-state.js';
import { hasLongBody } from '../http/unread-body.js';
import { keepErrorListener } from './answer.js';
import { unknownMethodProblem } from '../verb/check-verb.js';
import type { Edge } from './edge.js';
import { lingerOnClose } from './linger-on-close.js';
import { EXPECTATION_PROBLEM } from './request-head.js';

type EdgeServer = Pick<Server, 'emit' | 'listeners' | 'on' | 'maxHeadersCount'> & {
  requireHostHeader?: boolean;
};
type Emit = (event: string, ...args: unknown[]) => boolean;

/** The edge's listener of each event with a request or a connection. */
type EdgeListeners = Map<string, (...args: never[]) => void>;

export function installOnServer(server: EdgeServer, edge: Edge, verbs: ReadonlySet<string>): void {
  const emit = server.emit as Emit;
  // A library that has wrapped this server's own emit runs after the edge.
  const isWrapped = Object.hasOwn(server, 'emit');
  const deliver = (isWrapped ? emit : (EventEmitter.prototype.emit as Emit)).bind(server);
  const listeners = edgeListeners(server, edge, deliver, verbs);
  if (!isWrapped && emit !== EventEmitter.prototype.emit) runInside(emit, server, listeners);
  server.emit = (event: string, ...args: unknown[]): boolean => {
    const listener = listeners.get(event);
    if (listener === undefined) return emit.call(server, event, ...args);
    listener(...(args as never[]));
    return true;
  };
  server.on('connection', closeWithoutAddress).on('secureConnection', closeWithoutAddress);
  // Without a listener, Node would send `100 Continue` before the checks, or respond by itself.
  server.on('checkContinue', noListener);
  server.on('checkExpectation', noListener);
  // The edge rejects a request without a Host, and one with more header lines than Node keeps (request-head.ts).
  server.requireHostHeader = false;
  server.maxHeadersCount = 0;
}

/** Runs the edge inside the `emit` of a tracer that wraps `Server.prototype.emit`, so that rejections are traced. */
function runInside(emit: Emit, server: EdgeServer, listeners: EdgeListeners): void {
  const emitter = Object.create(server) as EventEmitter;
  EventEmitter.call(emitter); // Creates separate listeners.
  for (const [event, listener] of listeners) {
    emitter.on(event, listener as (...args: unknown[]) => void);
    listeners.set(event, (...args) => void emit.call(emitter, event, ...args));
  }
}

function edgeListeners(
  server: EdgeServer,
  edge: Edge,
  deliver: Emit,
  verbs: ReadonlySet<string>,
): EdgeListeners {
  const dispatch = (request: IncomingMessage, response: ServerResponse): void => {
    deliver('request', request, response);
  };
  const isHandled = (event: string): boolean =>
    server.listeners(event).some(listener => listener !== noListener);

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.method !== 'GET' && request.httpVersionMajor === 1 && hasLongBody(request))
      lingerOnClose(request);
    // A listener of `checkContinue` emits the request again.
    const admitted = requestState(response) !== undefined || edge.admit(request, response);
    // No closure for the request that waits for nothing.
    if (admitted === true) dispatch(request, response);
    else whenAdmitted(admitted, () => dispatch(request, response), response);
  };
  const onContinue = (request: IncomingMessage, response: ServerResponse): void => {
    const admitted = edge.admit(request, response, () => response.writeContinue());
    const go = (): void => {
      if (isHandled('checkContinue')) deliver('checkContinue', request, response);
      else {
        requestState(response)!.requestBody();
        dispatch(request, response);
      }
    };
    whenAdmitted(admitted, go, response);
  };
  const onExpectation = (request: IncomingMessage, response: ServerResponse): void => {
    if (!isHandled('checkExpectation')) edge.answerRejected(request, response, EXPECTATION_PROBLEM);
    else {
      whenAdmitted(edge.admit(request, response), () => deliver('checkExpectation', request, response));
    }
  };
  const onUpgrade =
    (event: string) =>
    (request: IncomingMessage, socket: Duplex | ServerResponse, head: Buffer): void => {
      keepErrorListener(socket);
      // A CONNECT over HTTP/2 has a response.
      const isResponse = 'writeHead' in socket;
      const admitted = isResponse ? edge.admit(request, socket) : edge.admitUpgrade(request, socket);
      whenAdmitted(admitted, () => {
        if (!deliver(event, request, socket, head)) socket.destroy();
      });
    };
  const onClientError = (error: NodeJS.ErrnoException, socket: Duplex): void => {
    // The responses of Node and Fastify carry none of the module's headers. A listener of the app replaces the module's response.
    const own = server.listeners('clientError').filter(isNotDefault);
    for (const listener of own) listener.call(server, error, socket);
    if (own.length === 0) answerParserError(error, socket, edge, verbs);
  };
  return new Map<string, (...args: never[]) => void>([
    ['request', onRequest],
    ['checkContinue', onContinue],
    ['checkExpectation', onExpectation],
    ['upgrade', onUpgrade('upgrade')],
    ['connect', onUpgrade('connect')],
    ['clientError', onClientError],
  ]);
}

/**
 * Closes a connection without a peer address. Node reads the address lazily, and a connection that was reset before has
 * none, so its requests would bypass the limits per address. A Unix domain socket has neither address.
 */
function closeWithoutAddress(socket: Socket): void {
  if (socket.remoteAddress === undefined && socket.localAddress !== undefined) socket.destroy();
}

const noListener = (): void => undefined;

const isNotDefault = ({ name }: { readonly name: string }): boolean =>
  !name.endsWith('defaultClientErrorHandler');

/** Synchronous for most requests: a promise would slow down every request. */
function whenAdmitted(
  admitted: boolean | Promise<boolean>,
  proceed: () => void,
  response?: ServerResponse,
): void {
  if (admitted === true) proceed();
  else if (admitted !== false)
    void admitted.then(isAdmitted => isAdmitted && continueRequest(response, proceed));
}

/** Responds to bytes that Node's parser rejects. */
function answerParserError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  edge: Edge,
  verbs: ReadonlySet<string>,
): void {
  const { _httpMessage: current } = socket as Duplex & { _httpMessage?: { headersSent: boolean } | null };
  // The client has disconnected, or another response is being sent.
  if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent) socket.destroy();
  else edge.answerMalformed(socket, parserProblem(error.code, verbs));
}

function parserProblem(code: string | undefined, verbs: ReadonlySet<string>): ProblemFields {
  switch (code) {
    case 'HPE_INVALID_METHOD':
      return unknownMethodProblem(verbs);
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, code: 'too_many_headers', detail: 'The head of the request is too large.' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, code: 'request_timeout', detail: 'The request did not arrive in time.' };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return {
        status: 413,
        code: 'body_too_large',
        detail: 'The chunks of the body carry too much beside it.',
      };
    default:
      return { status: 400, code: 'request_malformed', detail: 'The request is not valid HTTP.' };
  }
}
