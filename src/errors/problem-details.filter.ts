import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  Inject,
  Injectable,
  Logger,
} from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { rawResponse, setHeader } from '../common/http-request.js';
import { ENCODING_PROBLEM } from '../body/check-body.js';
import { PROBLEM_CONTENT_TYPE, problemOf, toProblem } from '../common/problem.js';
import { requestState } from '../common/request-state.js';
import { UNGUARDED_LIMITER, type UnguardedLimiter } from '../common/unguarded-limiter.js';
import { describeError, isAnswer, retryAfterOf } from './describe-error.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from './errors.options.js';
import { logFailure } from './log-failure.js';

/** Headers that describe the content of the handler, not the problem. */
const CONTENT_HEADERS = [
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Content-Range',
] as const;

/**
 * Responds to every error with `application/problem+json` (RFC 9457). It runs after all exception filters of the app.
 * @example
 * class MyFilter extends ProblemDetailsFilter {} // extras of forRoot(): { provide: ProblemDetailsFilter, useClass: MyFilter }
 */
@Catch()
@Injectable()
export class ProblemDetailsFilter implements ExceptionFilter {
  readonly #logger = new Logger(ProblemDetailsFilter.name);

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @Inject(RESOLVED_ERRORS) private readonly options: ResolvedErrors,
    @Inject(UNGUARDED_LIMITER) private readonly limiter: UnguardedLimiter,
  ) {}

  catch(exception: unknown, host: ArgumentsHost): unknown {
    // Nest's handlers format the errors of GraphQL and microservices if the filter returns nothing.
    if (host.getType<string>() !== 'http') return undefined;
    const response = host.switchToHttp().getResponse();
    const state = requestState(response);
    const adapter = this.adapterHost.httpAdapter;
    if (rawResponse(response).headersSent || adapter.isHeadersSent(response)) {
      logFailure(this.#logger, exception, response);
      rawResponse(response).end();
      return undefined;
    }
    const answered = this.limiter.limitUnguarded?.(host) ?? exception;
    // Nest knows the exceptions of its own copy alone.
    if (answered instanceof HttpException && isAnswer(answered, this.options.exposeMessages)) {
      // oxlint-disable-next-line promise/valid-params -- an exception filter's catch(), not a promise's
      new BaseExceptionFilter(adapter).catch(answered, host);
      return undefined;
    }
    logFailure(this.#logger, answered, response);
    const described = describeError(answered, this.options.exposeMessages);
    // A parser that ignores Content-Encoding reports malformed JSON.
    const isUndecoded = state?.body?.isEncoded === true && described.code === 'bad_request';
    const fields = isUndecoded ? ENCODING_PROBLEM : described;
    // The messages of the app may name persons: events carry the reasons of the module alone.
    const isOwn = isUndecoded || problemOf(answered) !== undefined;
    state?.reject(isOwn ? fields : { status: fields.status, code: fields.code });
    const problem = toProblem(fields, this.options.typeBase, state?.id || undefined);
    for (const name of CONTENT_HEADERS) {
      response.removeHeader(name);
      // Fastify has written them there if a stream failed.
      rawResponse(response).removeHeader(name);
    }
    setHeader(response, 'Content-Type', PROBLEM_CONTENT_TYPE);
    const retryAfter = retryAfterOf(answered, fields);
    if (retryAfter !== undefined && !response.hasHeader('Retry-After'))
      setHeader(response, 'Retry-After', retryAfter);
    // Given the status too, the Express adapter of Nest 11 would replace the type by application/json.
    adapter.status(response, problem.status);
    adapter.reply(response, problem);
    // Not for a subclass, which may have changed the response.
    if (answered === exception && this.constructor === ProblemDetailsFilter) state?.limits.keepDenial?.();
    return undefined;
  }
}
