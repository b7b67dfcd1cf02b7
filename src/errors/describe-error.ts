/* Maps an exception to a problem. A 4xx shows the message and the members of the exception; a 5xx shows none. */
import { STATUS_CODES } from 'node:http';
import { isRecord } from '../common/read-options.js';
import { DETAIL_OF_5XX, type ProblemFields, problemOf } from '../common/problem.js';
import { codeOfStatus } from '../common/status-code.js';

/** The common part of Nest's HttpException, `http-errors` and Fastify's errors. */
interface HttpErrorLike {
  readonly status: number;
  /** The body of the exception: a text or an object. */
  readonly body: unknown;
}

export function describeError(exception: unknown, exposeMessages: boolean): ProblemFields {
  const own = problemOf(exception);
  if (own !== undefined) return own;
  const error = readHttpError(exception);
  if (error === undefined || error.status >= 500) {
    const status = error?.status ?? 500;
    const code = status === 500 ? 'internal_error' : codeOfStatus(status);
    return { status, code, detail: DETAIL_OF_5XX, ...withRetry(error) };
  }
  const { status, body } = error;
  const code = codeOfStatus(status);
  if (!exposeMessages) return { status, code, ...withRetry(error) };
  if (!isRecord(body)) return { status, code, ...detailOf(body, status) };
  const { statusCode: _status, error: _title, message, ...members } = body;
  // class-validator's messages are a list, which becomes `errors`.
  const validation = Array.isArray(message)
    ? { detail: 'The request is not valid', errors: message }
    : undefined;
  const { detail = validation?.detail, code: ownCode, type, ...rest } = members;
  return {
    status,
    code: typeof ownCode === 'string' ? ownCode : validation ? 'validation_failed' : code,
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof detail === 'string' ? { detail } : detailOf(message, status)),
    members: {
      ...safeMembers(rest),
      ...(validation ? { errors: validation.errors } : {}),
      ...withRetry(error)?.members,
    },
  };
}

/** When the client of a 429 or a 503 may try again: `retry_after_seconds` of the exception's body. Shown where its messages are hidden too. */
function withRetry(error: HttpErrorLike | undefined): Pick<ProblemFields, 'members'> | undefined {
  if ((error?.status !== 429 && error?.status !== 503) || !isRecord(error.body)) return undefined;
  const { retry_after_seconds: seconds, retryable } = error.body;
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds < Infinity)) return undefined;
  return { members: { retryable: retryable !== false, retry_after_seconds: Math.ceil(seconds) } };
}

/** The value of `Retry-After` for an exception of the app. The module's own problems come with their headers. */
export function retryAfterOf(exception: unknown, { members }: ProblemFields): string | undefined {
  const seconds = members?.['retry_after_seconds'];
  return typeof seconds !== 'number' || problemOf(exception) !== undefined ? undefined : String(seconds);
}

/** The reason of a 5xx, for the log: its response does not show it. `undefined` for other exceptions and for the module's own problems. */
export function reasonOf(exception: unknown): unknown {
  const error = readHttpError(exception);
  if (problemOf(exception) !== undefined || (error !== undefined && error.status < 500)) return undefined;
  // Nest names an exception after its class if its body has no message.
  if (isRecord(error?.body) && typeof error.body['message'] !== 'string') return error.body;
  return exception instanceof Error ? exception.message : (exception ?? String(exception));
}

/**
 * Whether an exception is the answer that the app means, which Nest sends as it is: a status below 400 (a redirect, `304`), or the body of a
 * failed health check of `@nestjs/terminus`.
 */
export function isAnswer(exception: unknown, exposeMessages: boolean): boolean {
  if (!isHttpException(exception) || problemOf(exception) !== undefined) return false;
  const status = exception.getStatus();
  if (Number.isInteger(status) && status >= 200 && status < 400) return true;
  return exposeMessages && status === 503 && isHealthCheck(exception.getResponse());
}

function isHealthCheck(body: unknown): boolean {
  return (
    isRecord(body) &&
    (body['status'] === 'error' || body['status'] === 'shutting_down') &&
    isRecord(body['info']) &&
    isRecord(body['error']) &&
    isRecord(body['details'])
  );
}

function isHttpException(exception: unknown): exception is { getStatus(): number; getResponse(): unknown } {
  return (
    isRecord(exception) &&
    typeof exception['getStatus'] === 'function' &&
    typeof exception['getResponse'] === 'function'
  );
}

function readHttpError(exception: unknown): HttpErrorLike | undefined {
  if (isHttpException(exception))
    return { status: httpStatus(exception.getStatus()), body: exception.getResponse() };
  if (!isRecord(exception)) return undefined;
  const { statusCode, status, expose, code, message } = exception;
  // `expose` of http-errors says whether the message is public; Fastify's messages are public below 500.
  const isHttpErrors = typeof expose === 'boolean' && typeof statusCode === 'number' && status === statusCode;
  const isFastifyError =
    typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number';
  if (!isHttpErrors && !isFastifyError) return undefined;
  return { status: httpStatus(statusCode as number), body: isHttpErrors && !expose ? undefined : message };
}

/** A status outside 400 to 599 becomes 500: a 100 would not end the response. */
function httpStatus(status: number): number {
  return Number.isInteger(status) && status >= 400 && status <= 599 ? status : 500;
}

/** Nest's 404 repeats the request's path, which the client chose. */
const ECHOED_PATH = /^Cannot [A-Z]+ /;

function detailOf(message: unknown, status: number): { detail?: string } {
  if (status === 404 && typeof message === 'string' && ECHOED_PATH.test(message)) {
    return { detail: 'No route matches the method and the path of the request.' };
  }
  return typeof message === 'string' && message !== '' && message !== STATUS_CODES[status]
    ? { detail: message }
    : {};
}

const RESERVED = new Set(['title', 'status', 'requestId', 'instance', 'stack', 'cause', 'name', '__proto__']);

function safeMembers(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !RESERVED.has(name)));
}
