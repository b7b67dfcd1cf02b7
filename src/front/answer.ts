/* Answers that are given in front of the framework. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEM_CONTENT_TYPE, type ProblemFields, toProblem } from '../common/problem.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import type { ResolvedErrors } from '../errors/errors.options.js';

/** A body beyond this is not read to the end for the sake of a connection; the connection is closed instead. */
const DRAINABLE_BYTES = 65_536;

export function answerProblem(
  request: IncomingMessage,
  response: ServerResponse,
  fields: ProblemFields,
  requestId: string,
  errors: ResolvedErrors | false,
): void {
  const problem = toProblem(fields, errors === false ? undefined : errors.typeBase, requestId || undefined);
  const body = JSON.stringify(problem);
  const headers = ['Content-Type', PROBLEM_CONTENT_TYPE, 'Content-Length', String(Buffer.byteLength(body))];
  if (fields.status === 405) headers.push('Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  if (request.httpVersionMajor === 1 && hasUnreadBody(request)) headers.push('Connection', 'close');
  response.writeHead(fields.status, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

export function answerPreflight(response: ServerResponse, cors: ResolvedCors): void {
  response.writeHead(204, [
    'Access-Control-Allow-Methods',
    cors.allowMethods,
    'Access-Control-Allow-Headers',
    cors.allowHeaders,
    'Access-Control-Max-Age',
    cors.maxAge,
  ]);
  response.end();
}

function hasUnreadBody({ headers }: IncomingMessage): boolean {
  return (
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > DRAINABLE_BYTES
  );
}
