import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { PlatformRequest } from '../common/http-request.js';
import { ProblemException } from '../http/problem.exception.js';
import { requestState } from '../common/request-state.js';
import type { RouteResponse } from '../common/describe-route.js';
import { type Handler, type HandlerClass, memoMetadata, type RouteMemo } from '../common/each-handler.js';
import { checkParsedBody, CODED_PROBLEM, isCoded, isMultipart, tooLargeProblem } from './check-body.js';
import { MaxBody } from './body.decorator.js';
import type { ResolvedBody } from './body.options.js';

export const RESOLVED_BODY = Symbol('agent-security:body');

/** Rejects parsed bodies with prototype-polluting keys or too much nesting, and bodies that are too long for `@MaxBody()`. */
@Injectable()
export class BodyGuard implements CanActivate {
  /** The limit of each route in bytes; `null` for the module's alone. */
  readonly #bounds: RouteMemo<number | null>;

  constructor(
    @Inject(RESOLVED_BODY) private readonly options: ResolvedBody,
    reflector: Reflector,
  ) {
    this.#bounds = memoMetadata(reflector, MaxBody.KEY);
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const bound = this.#bounds.get(context.getClass(), context.getHandler());
    if (bound !== null) this.#checkSize(context, bound);
    const { body, headers } = context.switchToHttp().getRequest<PlatformRequest>();
    if (isCoded(headers)) this.#checkCoding(context, body);
    if (body === undefined || isMultipart(headers)) return true;
    const problem = checkParsedBody(body, this.options.maxDepth, this.options.maxKeys);
    if (problem !== undefined) throw new ProblemException(problem);
    return true;
  }

  /** The response to a body that is too long for a route, for OpenAPI documents. */
  describeRoute(controller: HandlerClass, handler: Handler): readonly RouteResponse[] {
    const { maxBytes } = this.options;
    const bound = Math.min(maxBytes, this.#bounds.get(controller, handler) ?? maxBytes);
    return [{ status: 413, description: `The body has more than ${bound} bytes`, needsBody: true }];
  }

  /** A Buffer, and a body that the handler reads itself, may stay encoded. Without progress it is unknown whether the body was decoded. */
  #checkCoding(context: ExecutionContext, body: unknown): void {
    const progress = requestState(context.switchToHttp().getResponse())?.body;
    if (body !== undefined && !Buffer.isBuffer(body) && progress?.isCoded !== false)
      throw new ProblemException(CODED_PROBLEM);
    if (progress !== undefined) progress.isCoded = false;
  }

  #checkSize(context: ExecutionContext, bound: number): void {
    const http = context.switchToHttp();
    const declared = Number(http.getRequest<PlatformRequest>().headers['content-length'] ?? 0);
    const watch = requestState(http.getResponse())?.body;
    if (declared > bound || (watch !== undefined && watch.bytes > bound)) {
      throw new ProblemException(tooLargeProblem(bound));
    }
    // Applies to a handler that reads the rest of the body itself.
    if (watch !== undefined) watch.maxBytes = Math.min(watch.maxBytes, bound);
  }
}
