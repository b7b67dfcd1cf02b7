import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  setRequestId,
} from '../common/http-request.js';
import { requestState } from '../common/request-state.js';
import { chooseRequestId, RESOLVED_REQUEST_ID, type ResolvedRequestId } from './request-id.options.js';

/**
 * Sets the request ID on an adapter without a request hook. On Express and Fastify the edge has set it for every response.
 * @example
 * app.useGlobalInterceptors(app.get(RequestIdInterceptor));
 */
@Injectable()
export class RequestIdInterceptor implements NestInterceptor {
  constructor(@Inject(RESOLVED_REQUEST_ID) private readonly options: ResolvedRequestId | false) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http' || this.options === false) return next.handle();
    const http = context.switchToHttp();
    const request = http.getRequest<PlatformRequest>();
    const response = http.getResponse<PlatformResponse>();
    if (requestState(response) === undefined) {
      const id = chooseRequestId(rawRequest(request).headers[this.options.lowerCaseHeader], this.options);
      setRequestId(request, id);
      response.setHeader(this.options.header, id);
    }
    return next.handle();
  }
}
