import { inspect } from 'node:util';
import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  Inject,
  Injectable,
  IntrinsicException,
  Logger,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { PROBLEM_CONTENT_TYPE, toProblem } from '../common/problem.js';
import { requestState } from '../common/request-state.js';
import { describeError, isUnforeseen } from './describe-error.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from './errors.options.js';

/** Called with a 404 that no guard has seen, so that unknown paths are limited like known ones. */
export interface UnmatchedRouteLimiter {
  /** The exception to answer with instead, if the client is over its limit. A guard that a test puts in place lacks it. */
  limitUnmatched?(host: ArgumentsHost): unknown;
}

export const UNMATCHED_ROUTE_LIMITER = Symbol('agent-security:unmatched-route-limiter');

/** Every error of the app as `application/problem+json` (RFC 9457). It stands behind all filters of the user. */
@Catch()
@Injectable()
export class ProblemDetailsFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemDetailsFilter.name);

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @Inject(RESOLVED_ERRORS) private readonly options: ResolvedErrors,
    @Inject(UNMATCHED_ROUTE_LIMITER) private readonly limiter: UnmatchedRouteLimiter,
  ) {}

  catch(exception: unknown, host: ArgumentsHost): unknown {
    // GraphQL and microservices have error formats of their own; a filter that returns nothing leaves them to Nest's handlers.
    if (host.getType<string>() !== 'http') return undefined;
    const response = host.switchToHttp().getResponse();
    const state = requestState(response);
    const adapter = this.adapterHost.httpAdapter;
    if (adapter.isHeadersSent(response)) {
      this.log(exception, state?.id);
      adapter.end(response);
      return undefined;
    }
    const answered = (isNotFound(exception) && this.limiter.limitUnmatched?.(host)) || exception;
    this.log(answered, state?.id);
    const fields = describeError(answered, this.options.exposeMessages);
    const problem = toProblem(fields, this.options.typeBase, state?.id || undefined);
    adapter.setHeader(response, 'Content-Type', PROBLEM_CONTENT_TYPE);
    adapter.reply(response, problem, problem.status);
    return undefined;
  }

  private log(exception: unknown, requestId: string | undefined): void {
    if (!isUnforeseen(exception) || exception instanceof IntrinsicException) return;
    const id = requestId ? `[${requestId}] ` : '';
    if (exception instanceof Error) this.logger.error(`${id}${exception.message}`, exception.stack);
    // Not String(): an object without a prototype has no text of its own, and a thrown text may hold line breaks.
    else this.logger.error(`${id}${inspect(exception)}`);
  }
}

function isNotFound(exception: unknown): boolean {
  return exception instanceof HttpException && exception.getStatus() === 404;
}
