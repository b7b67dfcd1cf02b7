/* The differences between Express and Fastify. Express passes Node's request and response (with methods added); Fastify wraps them:
 * `request.raw`, `reply.raw`. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as a hook, a guard or a handler receives it, on either platform. */
export type PlatformRequest = IncomingMessage & { raw?: IncomingMessage; id?: unknown; body?: unknown };
/** A response as a hook, a guard or a handler receives it, on either platform. */
export type PlatformResponse = ServerResponse & {
  raw?: ServerResponse;
  hijack?: () => void;
  header?: (name: string, value: string) => unknown;
};

export function rawRequest(request: PlatformRequest): IncomingMessage {
  return request.raw ?? request;
}

export function rawResponse(response: PlatformResponse): ServerResponse {
  return response.raw ?? response;
}

/**
 * Sets a header. Middleware of Fastify has Node's response, which the adapters of Nest 11 do not tell from Fastify's; of the same header on
 * both, Fastify sends its own.
 */
export function setHeader(response: PlatformResponse, name: string, value: string): void {
  if (response.header === undefined || response.raw === undefined) response.setHeader(name, value);
  else response.header(name, value);
}

/** Tells Fastify that the response is written elsewhere, so that it does not write a second one. */
export function takeOver(response: PlatformResponse): void {
  response.hijack?.();
}

/** Sets `req.id`, which pino-http, nestjs-pino and Fastify read. */
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

/** Whether a text is a `token`, as names of header fields and methods are (RFC 9110 section 5.6.2). */
export const isToken = (text: string): boolean => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
