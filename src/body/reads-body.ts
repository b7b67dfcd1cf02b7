/* Whether a handler has a `@Body()` parameter. A handler without one may read the request's stream itself. */
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { Handler, HandlerClass } from '../common/each-handler.js';

const BODY_PARAMETER = `${RouteParamtypes.BODY}:`;

export function readsBody(controller: HandlerClass, handler: Handler): boolean {
  const parameters: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler.name);
  return Object.keys(parameters ?? {}).some(key => key.startsWith(BODY_PARAMETER));
}
