/* The checks of a request's head: method, version, number of header lines and repeated singleton fields. */
import type { IncomingMessage } from 'node:http';
import type { EdgeCheck } from '../common/edge-stage.js';
import { requestPath } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';

/**
 * Node silently drops header lines after the thousandth, so that a client could hide a second Host, an Origin, or the address that a proxy
 * appends. Requests with that many lines are rejected.
 */
const MAX_HEADER_LINES = 1_000;

const TRACE_PROBLEM: ProblemFields = {
  status: 405,
  code: 'method_not_allowed',
  detail: 'TRACE is not allowed.',
};

const HEADER_LINES_PROBLEM: ProblemFields = {
  status: 431,
  code: 'too_many_headers',
  detail: `A request may have fewer than ${MAX_HEADER_LINES} header lines.`,
};

/** Node's parser accepts `HTTP/2.0` in a request line, although the request is HTTP/1.1. */
const VERSION_PROBLEM: ProblemFields = {
  status: 505,
  code: 'http_version_not_supported',
  detail: 'HTTP/2 does not begin with a request line.',
};

export const EXPECTATION_PROBLEM: ProblemFields = {
  status: 417,
  code: 'expectation_failed',
  detail: 'The only supported expectation is 100-continue.',
};

/** For a request whose check failed because a function of the app threw. */
export const CHECK_FAILED_PROBLEM: ProblemFields = {
  status: 500,
  code: 'internal_error',
  detail: 'The request could not be answered.',
};

export const REQUEST_HEAD = Symbol('agent-security:request-head-check');
export const REQUEST_HEAD_CHECK: EdgeCheck = { check: checkRequestHead };

function checkRequestHead(raw: IncomingMessage): ProblemFields | undefined {
  if (raw.rawHeaders.length >= MAX_HEADER_LINES * 2) return HEADER_LINES_PROBLEM;
  if (raw.method === 'TRACE') return TRACE_PROBLEM;
  return raw.httpVersionMajor > 1 && !('stream' in raw) ? VERSION_PROBLEM : undefined;
}

/** The problem of a URL that the framework could not parse. */
export function urlProblem(raw: IncomingMessage): ProblemFields {
  try {
    decodeURI(requestPath(raw.url ?? ''));
  } catch {
    return { status: 400, code: 'bad_request', detail: 'The URL of the request is malformed.' };
  }
  return { status: 414, code: 'uri_too_long', detail: 'A part of the URL is too long.' };
}

/** Singleton fields (RFC 9110 section 5.5). Of several lines, Node returns the first or joins them. */
const SINGLETON_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'content-range',
  'content-type',
  'idempotency-key',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'proxy-authorization',
  'transfer-encoding',
  'x-api-key',
  'x-http-method-override',
]);

export const REPEATED_FIELDS = Symbol('agent-security:repeated-fields-check');
export const REPEATED_FIELDS_CHECK: EdgeCheck = { check: checkRepeatedFields };

/**
 * Rejects a repeated singleton field: a proxy may have checked the line that the app does not read (RFC 9110 section
 * 5.3). Lists, cookies and forwarded headers may be repeated.
 */
function checkRepeatedFields(raw: IncomingMessage): ProblemFields | undefined {
  if (!hasRepeatedFields(raw)) return undefined;
  const { rawHeaders } = raw;
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (!SINGLETON_FIELDS.has(name)) continue;
    if (seen.has(name))
      return { status: 400, code: 'header_repeated', detail: `The header field ${name} may come once.` };
    seen.add(name);
  }
  return undefined;
}

/** Whether Node dropped a line or joined it to another: there are fewer names than lines. */
function hasRepeatedFields({ headers, rawHeaders }: IncomingMessage): boolean {
  let names = 0;
  for (const _name in headers) names += 2;
  return names !== rawHeaders.length;
}

/** Of several `Host` lines, Node keeps the first silently; the raw headers contain all. */
export function countHostLines(raw: IncomingMessage): number {
  const { rawHeaders } = raw;
  if (!hasRepeatedFields(raw)) return raw.headers.host === undefined ? 0 : 1;
  let lines = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && (name === 'Host' || name === 'host' || name.toLowerCase() === 'host')) lines++;
  }
  return lines;
}
