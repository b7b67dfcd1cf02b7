/* The log line of an error whose response does not show its reason. */
import type { Logger } from '@nestjs/common';
import { type PlatformResponse, rawResponse } from '../common/http-request.js';
import { logLine, logStack } from '../common/log-text.js';
import { requestState } from '../common/request-state.js';
import { hasResponseEnded } from '../common/response-end.js';
import { reasonOf } from './describe-error.js';

/** Logs a 5xx and its stack, with the request's ID. Other errors are answers to the client. */
export function logFailure(logger: Logger, exception: unknown, response: PlatformResponse): void {
  const reason = reasonOf(exception);
  if (reason === undefined) return;
  const requestId = requestState(response)?.id;
  const id = requestId ? `[${requestId}] ` : '';
  const hasCause = exception instanceof Error && exception.cause !== undefined;
  const cause = hasCause ? logLine` (cause: ${exception.cause})` : '';
  // Any client can disconnect within its body, so such errors are logged at debug level.
  if (hasResponseEnded(rawResponse(response))) logger.debug(logLine`${id}${reason}${cause}`);
  else
    logger.error(
      logLine`${id}${reason}${cause}`,
      exception instanceof Error ? logStack(exception) : undefined,
    );
}
