/* The front on the HTTP server itself: in front of all listeners of its events, those of the framework and those of libraries that put
 * themselves before it (socket.io's polling passes neither Express nor Fastify). */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ProblemFields } from '../common/problem.js';
import { requestState } from '../common/request-state.js';
import type { Front } from './front.js';

type RequestListener = (
  request: IncomingMessage,
  response: ServerResponse,
  done?: (error?: unknown) => void,
) => void;
type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** What an Express app takes in place of its own last answer: what is to happen to a request that nobody answered. */
export type AnswerUnhandled = (request: IncomingMessage, response: ServerResponse, error: unknown) => void;

type GatedServer = Pick<Server, 'listeners' | 'removeAllListeners' | 'on' | 'maxHeadersCount'> & {
  requireHostHeader?: boolean;
};

export function installGate(server: GatedServer, front: Front, answerUnhandled?: AnswerUnhandled): void {
  const listeners = takeListeners<RequestListener>(server, 'request');
  if (listeners.length === 0) return;
  const dispatch = (request: IncomingMessage, response: ServerResponse): void => {
    const done = answerUnhandled && ((error?: unknown) => answerUnhandled(request, response, error));
    for (const listener of listeners) listener.call(server, request, response, done);
  };
  const admit = (request: IncomingMessage, response: ServerResponse, sendContinue?: () => void): void => {
    const go = (admitted: boolean): void => {
      if (!admitted) return;
      if (sendContinue !== undefined) requestState(response)!.askForBody();
      dispatch(request, response);
    };
    const admitted = front.admit(request, response, sendContinue);
    if (typeof admitted === 'boolean') go(admitted);
    else void admitted.then(go);
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => admit(request, response));
  if (server.listeners('checkContinue').length === 0) {
    // Node would ask for the body before anybody has looked at the request.
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
      admit(request, response, () => response.writeContinue()),
    );
  }
  if (server.listeners('checkExpectation').length === 0) {
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
      front.answerExpectation(request, response),
    );
  }
  gateUpgrades(server, front);
  answerParserErrors(server, front);
  // A request without a Host is answered by the front; one whose lines Node would drop is refused there (request-head.ts).
  server.requireHostHeader = false;
  server.maxHeadersCount = 0;
}

function gateUpgrades(server: GatedServer, front: Front): void {
  const listeners = takeListeners<UpgradeListener>(server, 'upgrade');
  if (listeners.length === 0) return;
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const go = (admitted: boolean): void => {
      if (!admitted) return;
      for (const listener of listeners) listener.call(server, request, socket, head);
    };
    const admitted = front.admitUpgrade(request, socket);
    if (typeof admitted === 'boolean') go(admitted);
    else void admitted.then(go);
  });
}

/** Node's own answers (and Fastify's, in their place) would go out without a header. A handler of the app's own stays. */
function answerParserErrors(server: GatedServer, front: Front): void {
  const listeners = server.listeners('clientError');
  if (!listeners.every(listener => listener.name.endsWith('defaultClientErrorHandler'))) return;
  server.removeAllListeners('clientError');
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const { _httpMessage: current } = socket as Duplex & { _httpMessage?: { headersSent: boolean } | null };
    // The other side is gone, or an answer is on its way that another must not interrupt.
    if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent) socket.destroy();
    else front.answerUnreadable(socket, parserProblem(error.code));
  });
}

function parserProblem(code: string | undefined): ProblemFields {
  switch (code) {
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

function takeListeners<Listener>(server: GatedServer, event: 'request' | 'upgrade'): Listener[] {
  const listeners = server.listeners(event) as Listener[];
  server.removeAllListeners(event);
  return listeners;
}
