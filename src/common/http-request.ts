/* The one file that knows Express from Fastify. Express hands out Node's own request and response (with methods added),
 * Fastify wraps them: `request.raw`, `reply.raw`. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as a hook, a guard or a handler receives it, on either platform. */
export type PlatformRequest = IncomingMessage & { raw?: IncomingMessage; id?: unknown; body?: unknown };
/** A response as a hook, a guard or a handler receives it, on either platform. */
export type PlatformResponse = ServerResponse & { raw?: ServerResponse; hijack?: () => void };

export function rawRequest(request: PlatformRequest): IncomingMessage {
  return request.raw ?? request;
}

export function rawResponse(response: PlatformResponse): ServerResponse {
  return response.raw ?? response;
}

/** Takes the answer out of the framework's hands, so that nothing writes to it a second time. */
export function takeOver(response: PlatformResponse): void {
  response.hijack?.();
}

/** Gives the request its ID under `req.id`, where pino-http, nestjs-pino and Fastify look for it. */
export function setRequestId(request: PlatformRequest, id: string): void {
  (rawRequest(request) as PlatformRequest).id = id;
  if (request.raw !== undefined) request.id = id;
}

/**
 * The path of a request target, as written: without the query, and without the scheme and authority of the
 * absolute form.
 */
export function requestPath(target: string): string {
  let start = 0;
  if (target.charCodeAt(0) !== 0x2f) {
    const authority = target.indexOf('://');
    if (authority > 0) {
      start = target.slice(authority + 3).search(/[/?#]/);
      if (start === -1) return '/';
      start += authority + 3;
    }
  }
  for (let end = start; end < target.length; end++) {
    const char = target.charCodeAt(end);
    if (char === 0x3f || char === 0x23) return target.slice(start, end) || '/';
  }
  return start === 0 ? target : target.slice(start);
}
