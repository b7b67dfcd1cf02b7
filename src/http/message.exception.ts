import { type ExecutionContext, HttpException } from '@nestjs/common';
import { problemOf, toProblem } from '../common/problem.js';
import { handshakeOf, stateOfRequest } from '../common/request-state.js';
import { graphqlExtensions } from './graphql-extensions.js';
import { sendWhereEmitted } from './native-client.js';

type WsExceptionClass = new (error: object) => Error;

/**
 * Converts the rejection of a gateway's message to a `WsException`, and adds `extensions` to that of a GraphQL
 * operation; otherwise both would respond "Internal server error". Errors of other contexts are returned unchanged.
 */
export async function toMessageException(
  error: unknown,
  context: ExecutionContext,
  typeBase: string | undefined,
): Promise<unknown> {
  const type = context.getType<string>();
  if (type !== 'ws' && type !== 'graphql') return error;
  const fields =
    problemOf(error) ??
    (error instanceof HttpException && error.getStatus() < 500
      ? { status: error.getStatus(), code: 'rejected', detail: error.message }
      : undefined);
  if (fields === undefined) return error;
  if (type === 'graphql') {
    const extensions = graphqlExtensions(toProblem(fields, typeBase, undefined));
    return Object.assign(error as Error, { extensions });
  }
  // Loaded on demand: only apps with a gateway have the package.
  const { WsException } = (await import('@nestjs/websockets')) as { WsException: WsExceptionClass };
  const client: unknown = context.switchToWs().getClient();
  const requestId = stateOfRequest(handshakeOf(client))?.id || undefined;
  const { status: statusCode, detail, ...problem } = toProblem(fields, typeBase, requestId);
  const cause = { pattern: context.switchToWs().getPattern() };
  const payload = { status: 'error', message: detail ?? fields.code, statusCode, ...problem, cause };
  sendWhereEmitted(client, payload);
  return new WsException(payload);
}
