/* What guards say of the responses that they give for a route, for OpenAPI documents. */
import type { Handler, HandlerClass } from './each-handler.js';

/** A response that a guard gives in place of the handler. */
export interface RouteResponse {
  readonly status: number;
  /** Without a period at its end: those of several guards are joined. */
  readonly description: string;
  /** The meaning of each header, by its name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether only requests with a body get it. */
  readonly needsBody?: boolean;
}

/** A guard that describes its responses. It is called for every handler, once the app is created. */
export interface RouteDescriber {
  describeRoute(controller: HandlerClass, handler: Handler): readonly RouteResponse[];
}

/** The active guards that describe their responses. */
export const ROUTE_DESCRIBERS = Symbol('agent-security:route-describers');

export const RETRY_AFTER = { 'Retry-After': 'The seconds to wait, at least 1.' } as const;
