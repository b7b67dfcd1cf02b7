import type { PlatformRequest, PlatformResponse } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';

/**
 * Answers a request with a problem at once, whatever its handler is doing; what the handler says later is dropped without an error. A response
 * that has begun is cut off.
 * @returns whether the problem could still be told
 */
export type AnswerNow = (
  request: PlatformRequest,
  response: PlatformResponse,
  problem: ProblemFields,
) => boolean;

export const ANSWER_NOW = Symbol('agent-security:answer-now');
