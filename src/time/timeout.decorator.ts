import {
  applyDecorators,
  createParamDecorator,
  type ExecutionContext,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { type PlatformResponse, rawResponse } from '../common/http-request.js';
import { signalOf } from './request-signal.js';
import { resolveRouteTimeout, type RouteTimeout } from './timeout.options.js';
import { TIMEOUT_KEY, TimeoutGuard } from './timeout.guard.js';

/**
 * How long a controller or a handler may take until its answer begins: `@Timeout('30s')`, `@Timeout({ handler: '10s', idle: '1min' })`,
 * `@Timeout(false)` for no limit. A handler's wins over its class's, which wins over `timeout` of the module.
 * @throws AgentSecurityConfigError when the class is defined, for what is no time
 * @example
 * @Timeout({ handler: '10s', idle: '1min' })
 */
export function Timeout(limit: false | number | string | RouteTimeout): ClassDecorator & MethodDecorator {
  return applyDecorators(
    SetMetadata(TIMEOUT_KEY, resolveRouteTimeout('@Timeout()', limit)),
    UseGuards(TimeoutGuard),
  );
}

/**
 * The request's AbortSignal: aborted when its time is over (`TimeoutError`), or when its client has gone (`AbortError`).
 * @example
 * report(@Signal() signal: AbortSignal) {}
 */
export const Signal = createParamDecorator((_data: unknown, context: ExecutionContext): AbortSignal =>
  signalOf(rawResponse(context.switchToHttp().getResponse<PlatformResponse>())),
);
