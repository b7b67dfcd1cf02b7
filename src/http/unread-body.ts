import type { IncomingMessage } from 'node:http';
import type { PlatformRequest, PlatformResponse } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';

/** For a longer unread body, the connection is closed instead of reading to its end. */
export const DRAINABLE_BYTES = 65_536;

/** Whether a body is too long to discard, or may be: HTTP/1.1 declares that with Transfer-Encoding, HTTP/2 by leaving its length out. */
export function hasLongBody({ headers, httpVersionMajor }: IncomingMessage): boolean {
  const length = headers['content-length'];
  if (length === undefined) return headers['transfer-encoding'] !== undefined || httpVersionMajor >= 2;
  return headers['transfer-encoding'] !== undefined || Number(length) > DRAINABLE_BYTES;
}

/**
 * Responds with a problem at once while the handler runs. Later writes of the handler are ignored. A response that has begun is aborted.
 * @returns whether the problem was sent
 */
export type AnswerNow = (
  request: PlatformRequest,
  response: PlatformResponse,
  problem: ProblemFields,
) => boolean;

export const ANSWER_NOW = Symbol('agent-security:answer-now');
