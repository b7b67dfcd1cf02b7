import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  Inject,
  Injectable,
  IntrinsicException,
  Logger,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type PlatformResponse, rawResponse } from '../common/http-request.js';
import { CODED_PROBLEM } from '../body/check-body.js';
import { PROBLEM_CONTENT_TYPE, toProblem } from '../common/problem.js';
import { requestState } from '../common/request-state.js';
import { hasResponseEnded } from '../common/response-end.js';
import { UNGUARDED_LIMITER, type UnguardedLimiter } from '../common/unguarded-limiter.js';
import { describeError, isUnforeseen } from './describe-error.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from './errors.options.js';
import { logLine, logStack } from '../common/log-text.js';

/** What a handler says of the content that it meant to send. */
const OF_THE_ANSWER = [
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Content-Range',
] as const;

/** Every error of the app as `application/problem+json` (RFC 9457). It stands behind all filters of the user. */
@Catch()
@Injectable()
export class ProblemDetailsFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemDetailsFilter.name);

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @Inject(RESOLVED_ERRORS) private readonly options: ResolvedErrors,
    @Inject(UNGUARDED_LIMITER) private readonly limiter: UnguardedLimiter,
  ) {}

  catch(exception: unknown, host: ArgumentsHost): unknown {
    // GraphQL and microservices have error formats of their own; a filter that returns nothing leaves them to Nest's handlers.
    if (host.getType<string>() !== 'http') return undefined;
    const response = host.switchToHttp().getResponse();
    const state = requestState(response);
    const adapter = this.adapterHost.httpAdapter;
    if (adapter.isHeadersSent(response)) {
      this.log(exception, response, state?.id);
      adapter.end(response);
      return undefined;
    }
    const answered = this.limiter.limitUnguarded?.(host) ?? exception;
    this.log(answered, response, state?.id);
    const described = describeError(answered, this.options.exposeMessages);
    // A parser that does not look at the coding calls the bytes malformed.
    const isUndecoded = state?.body?.isCoded === true && described.code === 'bad_request';
    const fields = isUndecoded ? CODED_PROBLEM : described;
    if (state !== undefined) state.outcome.problem = fields.code;
    const problem = toProblem(fields, this.options.typeBase, state?.id || undefined);
    for (const name of OF_THE_ANSWER) response.removeHeader(name);
    adapter.setHeader(response, 'Content-Type', PROBLEM_CONTENT_TYPE);
    adapter.reply(response, problem, problem.status);
    // A subclass may have changed the answer; a filter of the user's would have kept it from coming here.
    if (answered === exception && this.constructor === ProblemDetailsFilter) state?.limits.keepDenial?.();
    return undefined;
  }

  private log(exception: unknown, response: PlatformResponse, requestId: string | undefined): void {
    if (!isUnforeseen(exception) || exception instanceof IntrinsicException) return;
    const id = requestId ? `[${requestId}] ` : '';
    const reason = exception instanceof Error ? exception.message : exception;
    // Nobody reads an answer to a client that has gone, and any client can go in the middle of its body.
    if (hasResponseEnded(rawResponse(response))) this.logger.debug(logLine`${id}${reason}`);
    else
      this.logger.error(
        logLine`${id}${reason}`,
        exception instanceof Error ? logStack(exception) : undefined,
      );
  }
}
