import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type HttpException,
} from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { Reflector } from '@nestjs/core';
import { type PlatformRequest, rawRequest } from '../common/http-request.js';
import { rejectionException } from '../http/problem.exception.js';
import { requestState } from '../common/request-state.js';
import { type Handler, type HandlerClass, memoMetadata, RouteMemo } from '../common/each-handler.js';
import {
  checkParsedBody,
  ENCODING_PROBLEM,
  EMPTY_JSON_PROBLEM,
  isBodyDeclared,
  hasContentEncoding,
  isJson,
  isMultipart,
  needsBody,
  tooLargeProblem,
  CONTENT_TYPE_PROBLEM,
} from './check-body.js';
import type { RouteResponse } from '../common/describe-route.js';
import { MaxBody } from './body.decorator.js';
import type { ProblemFields } from '../common/problem.js';
import { RESOLVED_BODY, type ResolvedBody } from './body.options.js';

/** Rejects parsed bodies with prototype-polluting keys or too much nesting, and bodies that are too long for `@MaxBody()`. */
@Injectable()
export class BodyGuard implements CanActivate {
  readonly #readsBody = new RouteMemo(readsBody);
  /** The limit of each route in bytes; `null` for the module's alone. */
  readonly #routeLimits: RouteMemo<number | null>;

  constructor(
    @Inject(RESOLVED_BODY) private readonly options: ResolvedBody,
    reflector: Reflector,
  ) {
    this.#routeLimits = memoMetadata(reflector, MaxBody.KEY);
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const routeLimit = this.#routeLimits.get(context.getClass(), context.getHandler());
    if (routeLimit !== null) this.#checkSize(context, routeLimit);
    // `switchToHttp()` would create three functions for each request.
    const request = context.getArgByIndex<PlatformRequest>(0);
    const { body, headers } = request;
    if (hasContentEncoding(headers)) this.#checkCoding(context, body);
    if (isMultipart(headers)) return true;
    if (this.#isEmpty(context, request)) {
      if (needsBody(request.method ?? '')) throw reject(context, EMPTY_JSON_PROBLEM);
      // Express parses nothing as an empty object.
      if (body !== undefined) request.body = undefined;
      return true;
    }
    if (body === undefined) {
      if (this.#isUnread(context, request)) throw reject(context, CONTENT_TYPE_PROBLEM);
      return true;
    }
    const problem = checkParsedBody(body, this.options.maxDepth, this.options.maxKeys);
    if (problem !== undefined) throw reject(context, problem);
    return true;
  }

  /** Whether the request says JSON and has no body. */
  #isEmpty(context: ExecutionContext, request: PlatformRequest): boolean {
    const { body, headers } = request;
    if (!isJson(headers['content-type'])) return false;
    if (headers['content-length'] === '0') return true;
    const progress = requestState(context.switchToHttp().getResponse())?.body;
    if (progress?.bytes !== 0) return false;
    // Bytes of a declared body that nobody has read may still arrive.
    return body !== undefined || !isBodyDeclared(headers) || rawRequest(request).readableEnded;
  }

  /** Whether the handler wants a body that no parser has read. Fastify rejects such a type; Express leaves the body unread. */
  #isUnread(context: ExecutionContext, { headers, method }: PlatformRequest): boolean {
    return (
      method !== 'GET' &&
      method !== 'HEAD' &&
      isBodyDeclared(headers) &&
      this.#readsBody.get(context.getClass(), context.getHandler())
    );
  }

  /** The response to a body that is too long for a route, for OpenAPI documents. */
  describeRoute(controller: HandlerClass, handler: Handler): readonly RouteResponse[] {
    const { maxBytes } = this.options;
    const routeLimit = Math.min(maxBytes, this.#routeLimits.get(controller, handler) ?? maxBytes);
    return [{ status: 413, description: `The body has more than ${routeLimit} bytes`, needsBody: true }];
  }

  /** A Buffer, and a body that the handler reads itself, may stay encoded. Without progress it is unknown whether the body was decoded. */
  #checkCoding(context: ExecutionContext, body: unknown): void {
    const progress = requestState(context.switchToHttp().getResponse())?.body;
    if (body !== undefined && !Buffer.isBuffer(body) && progress?.isEncoded !== false)
      throw reject(context, ENCODING_PROBLEM);
    if (progress !== undefined) progress.isEncoded = false;
  }

  #checkSize(context: ExecutionContext, routeLimit: number): void {
    const http = context.switchToHttp();
    const declared = Number(http.getRequest<PlatformRequest>().headers['content-length'] ?? 0);
    const progress = requestState(http.getResponse())?.body;
    if (declared > routeLimit || (progress !== undefined && progress.bytes > routeLimit)) {
      throw reject(context, tooLargeProblem(routeLimit));
    }
    // Applies to a handler that reads the rest of the body itself.
    if (progress !== undefined) progress.maxBytes = Math.min(progress.maxBytes, routeLimit);
  }
}

const BODY_PARAMETER = `${RouteParamtypes.BODY}:`;

/** Whether a handler has a `@Body()` parameter. A handler without one may read the request's stream itself. */
function readsBody(controller: HandlerClass, handler: Handler): boolean {
  const parameters: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler.name);
  return Object.keys(parameters ?? {}).some(key => key.startsWith(BODY_PARAMETER));
}

const reject = (context: ExecutionContext, problem: ProblemFields): HttpException =>
  rejectionException({ problem, headers: [] }, requestState(context.switchToHttp().getResponse()));
