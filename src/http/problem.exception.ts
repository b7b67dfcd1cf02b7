import { HttpException, type ExecutionContext } from '@nestjs/common';
import { PROBLEM, type ProblemFields, type Rejection, problemOf, toProblem } from '../common/problem.js';
import { type RequestState, handshakeOf, stateOfRequest } from '../common/request-state.js';
import { graphqlExtensions } from './graphql-extensions.js';

/** An HttpException that carries a problem. Exception filters of the app see an HttpException. */
export class ProblemException extends HttpException {
  readonly [PROBLEM]: ProblemFields;

  constructor(fields: ProblemFields) {
    super(bodyForFilters(fields), fields.status);
    this[PROBLEM] = fields;
  }
}

/** What a filter of the app sends that answers with `getResponse()`, as Nest's own does: Nest's members and those of the problem. */
export const bodyForFilters = ({ status, code, detail, members }: ProblemFields): object => ({
  statusCode: status,
  message: detail ?? code,
  code,
  ...members,
});

/** Creates the exception of a rejection. The response reads the rejection's headers from the request's state. */
export function rejectionException(
  { problem, headers }: Rejection,
  state: RequestState | undefined,
): ProblemException {
  state?.reject(problem);
  if (state?.response !== undefined) {
    if (problem.status === 429) {
      state.limits.quota = headers;
      // The module's limit would write the same headers.
      state.limits.charged = true;
    } else {
      state.rejectionHeaders = headers;
    }
  }
  return withoutStack(() => new ProblemException(problem));
}

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
  const requestId = stateOfRequest(handshakeOf(context.switchToWs().getClient()))?.id || undefined;
  const { status: statusCode, detail, ...problem } = toProblem(fields, typeBase, requestId);
  const cause = { pattern: context.switchToWs().getPattern() };
  return new WsException({ status: 'error', message: detail ?? fields.code, statusCode, ...problem, cause });
}

/**
 * Creates an error without a stack trace. Collecting the trace takes longer than the decision to reject a request, and
 * an attacker can cause many rejections.
 */
export function withoutStack<E extends Error>(create: () => E): E {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return create();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
