/* Writes responses before routing: problems, preflights, and problems on a socket without a response object. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
import { type AnswerNow, hasLongBody } from '../http/unread-body.js';
import { rawRequest, rawResponse, takeOver } from '../common/http-request.js';
import { PROBLEM_CONTENT_TYPE, type ProblemFields, problemText } from '../common/problem.js';
import { requestState } from '../common/request-state.js';
import { hasResponseEnded } from '../common/response-end.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import type { ResolvedErrors } from '../errors/errors.options.js';

const DEFAULT_ALLOW = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** Marks a socket that is about to close: later errors of its parser get no response. */
const CLOSING = Symbol('agent-security:closing');
type MarkedSocket = Duplex & { [CLOSING]?: true };

export function answerProblem(
  request: IncomingMessage,
  response: ServerResponse,
  fields: ProblemFields,
  requestId: string,
  errors: ResolvedErrors | false,
): void {
  const body = problemBody(fields, requestId, errors);
  requestState(response)?.reject(fields);
  response.writeHead(fields.status, {
    'Content-Type': PROBLEM_CONTENT_TYPE,
    'Content-Length': Buffer.byteLength(body),
    ...(fields.status === 405 ? { Allow: fields.allow ?? DEFAULT_ALLOW } : undefined),
    ...closing(request, fields.status === 431),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Creates the function that responds at once while a handler runs. */
export function createAnswerNow(errors: ResolvedErrors | false): AnswerNow {
  return (request, response, problem) => {
    const answer = rawResponse(response);
    if (answer.writableEnded || hasResponseEnded(answer)) return false;
    if (answer.headersSent) {
      const state = requestState(answer);
      state?.reject(problem);
      state?.reportRejection(problem.status);
      answer.destroy();
      return false;
    }
    takeOver(response);
    answerProblem(rawRequest(request), answer, problem, requestState(answer)?.id ?? '', errors);
    ignoreLateWrites(answer);
    return true;
  };
}

/**
 * Ignores later writes of the handler. After the response has ended, `setHeader` throws, and an error in a callback of the handler ends the
 * process.
 */
function ignoreLateWrites(response: ServerResponse): void {
  const ignore = (): ServerResponse => response;
  response.setHeader = response.appendHeader = response.writeHead = ignore;
  response.removeHeader = response.flushHeaders = () => undefined;
  response.write = (...args: unknown[]) => {
    callBack(args);
    return true;
  };
  response.end = (...args: unknown[]) => {
    callBack(args);
    return response;
  };
}

function callBack(args: readonly unknown[]): void {
  const done = args.at(-1);
  if (typeof done === 'function') process.nextTick(done as () => void);
}

export function answerPreflight(
  request: IncomingMessage,
  response: ServerResponse,
  cors: ResolvedCors,
): void {
  response.writeHead(204, {
    'Access-Control-Allow-Methods': cors.allowMethods,
    'Access-Control-Allow-Headers': cors.allowHeaders,
    'Access-Control-Max-Age': cors.maxAge,
    ...closing(request, false),
  });
  response.end();
}

const ignoreError = (): void => undefined;

/**
 * Keeps an `error` listener on a socket. Node removes its own from a socket that it hands out (an upgrade), and an `error` event without a
 * listener ends the process: a write to a peer that has disconnected suffices. The socket closes by itself.
 */
export function keepErrorListener(socket: Writable): void {
  if (!socket.listeners('error').includes(ignoreError)) socket.on('error', ignoreError);
}

/**
 * Writes a problem to the socket itself, where there is no response object: for an upgrade, or a request that Node's parser rejected.
 * @param headers alternating names and values
 * @returns false for a connection that is closed or has had its answer
 */
export function answerOnSocket(
  socket: Duplex,
  fields: ProblemFields,
  headers: readonly string[],
  requestId: string,
  errors: ResolvedErrors | false,
): boolean {
  keepErrorListener(socket);
  if (!socket.writable || (socket as MarkedSocket)[CLOSING]) {
    socket.destroy();
    return false;
  }
  const body = problemBody(fields, requestId, errors);
  const lines = [`HTTP/1.1 ${fields.status} ${STATUS_CODES[fields.status]}`];
  for (let index = 0; index < headers.length; index += 2)
    lines.push(`${headers[index]}: ${headers[index + 1]}`);
  lines.push(
    `Content-Type: ${PROBLEM_CONTENT_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  );
  (socket as MarkedSocket)[CLOSING] = true;
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  return true;
}

const problemBody = (fields: ProblemFields, requestId: string, errors: ResolvedErrors | false): string =>
  problemText(fields, errors === false ? undefined : errors.typeBase, requestId);

/** Closes the connection if the request has a long body that will not be read. */
function closing(request: IncomingMessage, always: boolean): { Connection: 'close' } | undefined {
  if (request.httpVersionMajor !== 1 || !(always || hasLongBody(request))) return undefined;
  (request.socket as MarkedSocket)[CLOSING] = true;
  return { Connection: 'close' };
}
