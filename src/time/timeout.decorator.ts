import {
  applyDecorators,
  createParamDecorator,
  type ExecutionContext,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { type PlatformResponse, rawResponse } from '../common/http-request.js';
import { abortControllerOf, TIMEOUT_KEY, TimeoutGuard } from './timeout.guard.js';
import { resolveRouteTimeout, type RouteTimeout } from './timeout.options.js';

/**
 * Limits the time until a handler's response begins, and the time that it may be silent afterwards. `@Timeout(false)` removes the limits. A
 * handler's limits replace those of its class, which replace the module's `timeout`.
 * @throws AgentSecurityConfigError when the class is defined, for an invalid time
 * @example
 * @Get('answer')
 * @Timeout({ handler: '10s', idle: '1min' })
 * answer(@Signal() signal: AbortSignal) {}
 */
export function Timeout(limit: false | string | RouteTimeout): ClassDecorator & MethodDecorator {
  return applyDecorators(
    SetMetadata(TIMEOUT_KEY, resolveRouteTimeout('@Timeout()', limit)),
    UseGuards(TimeoutGuard),
  );
}

/**
 * A parameter decorator for the request's AbortSignal. It is aborted when the time limit is exceeded (`TimeoutError`)
 * or the client disconnects (`AbortError`).
 * @example
 * answer(@Signal() signal: AbortSignal) { return fetch(url, { signal }); }
 */
export const Signal = createParamDecorator(
  (_data: unknown, context: ExecutionContext): AbortSignal =>
    abortControllerOf(rawResponse(context.switchToHttp().getResponse<PlatformResponse>())).signal,
);
