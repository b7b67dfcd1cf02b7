import type { ExecutionContext } from '@nestjs/common';
import { type PlatformResponse, rawResponse } from '../common/http-request.js';
import { ProblemException } from '../http/problem.exception.js';
import { requestState } from '../common/request-state.js';
import type { Refusal } from './tool-refusals.js';

/** The exception for a refusal, whose headers the response is given. Without a stack: refusals come in floods. */
export function toolRefusal(context: ExecutionContext, { problem, headers }: Refusal): ProblemException {
  if (context.getType() === 'http') giveHeaders(context.switchToHttp().getResponse(), headers);
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return new ProblemException(problem);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function giveHeaders(response: PlatformResponse, headers: readonly string[]): void {
  const state = requestState(response);
  if (state !== undefined) {
    if (headers.length === 0) return;
    if (headers[0] === 'WWW-Authenticate') state.challenge = headers;
    else state.quota = headers;
    return;
  }
  const raw = rawResponse(response);
  for (let index = 0; index < headers.length; index += 2) raw.setHeader(headers[index]!, headers[index + 1]!);
}
