import type { ExecutionContext } from '@nestjs/common';
import type { Rejection } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { toMessageException, rejectionException } from '../http/problem.exception.js';

/**
 * The exception that rejects a call, in the form of the context's transport. The messages of a gateway share one state, and have no
 * headers.
 */
export function toToolException(
  rejection: Rejection,
  context: ExecutionContext,
  state: RequestState | undefined,
  typeBase: string | undefined,
): Promise<unknown> {
  const exception = rejectionException(rejection, context.getType() === 'ws' ? undefined : state);
  return toMessageException(exception, context, typeBase);
}
