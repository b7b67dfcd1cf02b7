import type { PlatformRequest, PlatformResponse } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';

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
