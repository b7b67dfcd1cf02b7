import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { PlatformRequest } from '../common/http-request.js';
import { ProblemException } from '../common/problem.exception.js';
import { checkContentCoding, checkParsedBody, isMultipart } from './check-body.js';
import type { ResolvedBody } from './body.options.js';

export const RESOLVED_BODY = Symbol('agent-security:body');

/** Stops hostile JSON in front of every handler; Express's parser lets it through. */
@Injectable()
export class BodyGuard implements CanActivate {
  constructor(@Inject(RESOLVED_BODY) private readonly options: ResolvedBody) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const { body, headers } = context.switchToHttp().getRequest<PlatformRequest>();
    if (body === undefined || isMultipart(headers)) return true;
    const problem =
      (Buffer.isBuffer(body) ? undefined : checkContentCoding(headers)) ??
      checkParsedBody(body, this.options.maxDepth);
    if (problem !== undefined) throw new ProblemException(problem);
    return true;
  }
}
