/* What the head of a request may be, before anybody is asked whether it is allowed. */
import type { IncomingMessage } from 'node:http';
import { requestPath } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';

/**
 * Node drops the lines behind its thousandth without a word, so that a client could hide a second Host, an Origin, or the address that
 * a proxy appends, behind a thousand lines of nothing. Whoever sends that many is not judged by what is left.
 */
const MAX_HEADER_LINES = 1_000;

const METHOD_PROBLEM: ProblemFields = {
  status: 405,
  code: 'method_not_allowed',
  detail: 'TRACE is not allowed.',
};

const HEADERS_PROBLEM: ProblemFields = {
  status: 431,
  code: 'too_many_headers',
  detail: `A request may have fewer than ${MAX_HEADER_LINES} header lines.`,
};

/** Node's parser takes `HTTP/2.0` in a request line; what follows is still HTTP/1.1, and everything that asks for the version is wrong. */
const VERSION_PROBLEM: ProblemFields = {
  status: 505,
  code: 'http_version_not_supported',
  detail: 'HTTP/2 does not begin with a request line.',
};

export const EXPECTATION_PROBLEM: ProblemFields = {
  status: 417,
  code: 'expectation_failed',
  detail: 'The only expectation that is understood is 100-continue.',
};

export const ORIGIN_PROBLEM: ProblemFields = {
  status: 403,
  code: 'origin_not_allowed',
  detail: 'The origin of the request is not allowed.',
};

/** For a request that could not be judged, because something of the app's own threw. */
export const FRONT_PROBLEM: ProblemFields = {
  status: 500,
  code: 'internal_error',
  detail: 'The request could not be answered.',
};

export function checkRequestHead(raw: IncomingMessage): ProblemFields | undefined {
  if (raw.rawHeaders.length >= MAX_HEADER_LINES * 2) return HEADERS_PROBLEM;
  if (raw.method === 'TRACE') return METHOD_PROBLEM;
  return raw.httpVersionMajor > 1 && !('stream' in raw) ? VERSION_PROBLEM : undefined;
}

/** Why a framework could not route a URL. */
export function urlProblem(raw: IncomingMessage): ProblemFields {
  try {
    decodeURI(requestPath(raw.url ?? ''));
  } catch {
    return { status: 400, code: 'bad_request', detail: 'The URL of the request is malformed.' };
  }
  return { status: 414, code: 'uri_too_long', detail: 'A part of the URL is too long.' };
}

/** Node keeps the first of several `Host` lines without a word; only the raw headers show the others. */
export function countHostLines(raw: IncomingMessage): number {
  const { rawHeaders } = raw;
  let lines = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && (name === 'Host' || name === 'host' || name.toLowerCase() === 'host')) lines++;
  }
  return lines;
}
