import { type ExecutionContext, HttpException } from '@nestjs/common';
import { problemOf, toProblem } from './problem.js';

type WsExceptionClass = new (error: object) => Error;

/** Turns a refusal into what gateways tell their clients; of anything else they would say "Internal server error". */
export async function toMessageException(
  error: unknown,
  context: ExecutionContext,
  requestId: string | undefined,
  typeBase: string | undefined,
): Promise<unknown> {
  const fields =
    problemOf(error) ??
    (error instanceof HttpException && error.getStatus() < 500
      ? { status: error.getStatus(), code: 'refused', detail: error.message }
      : undefined);
  if (fields === undefined) return error;
  // Loaded on demand: who has a gateway has the package, and nobody else needs it.
  const { WsException } = (await import('@nestjs/websockets')) as { WsException: WsExceptionClass };
  const { status: statusCode, detail, ...problem } = toProblem(fields, typeBase, requestId);
  const cause = { pattern: context.switchToWs().getPattern() };
  return new WsException({ status: 'error', message: detail ?? fields.code, statusCode, ...problem, cause });
}
