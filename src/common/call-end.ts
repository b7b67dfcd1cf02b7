/* How a call of a tool ended, by its response: one rule for handlers and for calls over MCP. */
import type { ServerResponse } from 'node:http';

export type CallOutcome = 'ok' | 'failed' | 'rejected' | 'aborted';

export interface CallEnd {
  readonly outcome: CallOutcome;
  readonly status?: number | undefined;
  /** The code of the problem that was answered. */
  readonly code?: string | undefined;
}

/** The statuses of a call that was not made. */
const REJECTED_STATUSES: ReadonlySet<number> = new Set([401, 403, 421, 429]);

/**
 * @param isWhole whether the response was sent whole; else the client left
 * @param hasFailed whether the body says that the call failed, whatever its status
 */
export function readCallEnd(
  { headersSent, statusCode }: ServerResponse,
  code: string | undefined,
  isWhole: boolean,
  hasFailed = false,
): CallEnd {
  const status = headersSent ? statusCode : undefined;
  if (!isWhole) return { outcome: 'aborted', status, code };
  if (REJECTED_STATUSES.has(statusCode)) return { outcome: 'rejected', status, code };
  return { outcome: statusCode >= 400 || hasFailed ? 'failed' : 'ok', status, code };
}
