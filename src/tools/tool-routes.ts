import type { Reflector } from '@nestjs/core';
import { RouteMemo } from '../common/route-memo.js';
import type { Tool } from './tool.js';

/** The tool of each handler; `null` for one that is none. Read once a handler. */
export function createToolRoutes(reflector: Pick<Reflector, 'get'>, key: string): RouteMemo<Tool | null> {
  return new RouteMemo(
    (_controller, handler) => reflector.get<Tool | undefined>(key, handler as never) ?? null,
  );
}
