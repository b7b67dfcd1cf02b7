/* The body of every error response: problem details (RFC 9457) with a stable code. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { ProblemCode } from './problem-codes.js';
import type { RejectionCause } from './rejection.js';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/**
 * The body of an error response (RFC 9457).
 * @example
 * const problem = (await response.json()) as ProblemDetails;
 * if (problem.code === 'rate_limited') await delay(Number(problem['retry_after_seconds']) * 1_000);
 */
export interface ProblemDetails {
  /** A URI for the type of problem; `about:blank` where it is the status alone. */
  readonly type: string;
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** A description of this occurrence, for people. */
  readonly detail?: string;
  /** A stable code for programs, listed in docs/reference/errors.md. */
  readonly code: ProblemCode | (string & {});
  /** The request ID, as in the response header. */
  readonly requestId?: string;
  readonly [member: string]: unknown;
}

/** The fields of a problem that its origin knows; `toProblem` adds the rest. */
export interface ProblemFields {
  readonly status: number;
  readonly code: string;
  /** Overrides the type of `errors.typeBase`. */
  readonly type?: string;
  readonly detail?: string;
  /** For a 405 before routing: the value of `Allow`. */
  readonly allow?: string;
  /** Extension members (RFC 9457 section 3.2). */
  readonly members?: Readonly<Record<string, unknown>>;
  /** For events and logs alone: it is never sent. */
  readonly cause?: RejectionCause;
  /**
   * The body as JSON, before and after the request ID, for a problem that answers many requests (`withBodyParts()`). A copy with another field
   * must not have it.
   */
  readonly bodyParts?: readonly [before: string, after: string];
}

export function toProblem(
  fields: ProblemFields,
  typeBase: string | undefined,
  requestId: string | undefined,
): ProblemDetails {
  return {
    type: fields.type ?? (typeBase === undefined ? 'about:blank' : typeBase + fields.code),
    title: STATUS_CODES[fields.status] ?? 'Error',
    status: fields.status,
    ...(fields.detail === undefined ? {} : { detail: fields.detail }),
    code: fields.code,
    ...(requestId === undefined ? {} : { requestId }),
    ...fields.members,
  };
}

/** Stands for the request ID in a body that is kept as text. */
const ID_PLACE = randomUUID();

/** The same problem with its body as JSON, for a problem that answers many requests and has a type of its own. */
export function withBodyParts(fields: ProblemFields & { readonly type: string }): ProblemFields {
  const [before, after] = JSON.stringify(toProblem(fields, undefined, ID_PLACE)).split(`"${ID_PLACE}"`);
  return { ...fields, bodyParts: [before!, after!] };
}

/** The body of a problem as JSON. @param requestId empty for none */
export function problemText(fields: ProblemFields, typeBase: string | undefined, requestId: string): string {
  if (fields.bodyParts === undefined || requestId === '')
    return JSON.stringify(toProblem(fields, typeBase, requestId || undefined));
  return fields.bodyParts[0] + JSON.stringify(requestId) + fields.bodyParts[1];
}

/** The only detail of a 5xx response. */
export const DETAIL_OF_5XX =
  "The request could not be answered. Its ID finds the reason in the server's log.";

/** The symbol under which an exception carries its problem; the exception's class is free. */
export const PROBLEM = Symbol.for('agent-security:problem');

export function problemOf(exception: unknown): ProblemFields | undefined {
  return typeof exception === 'object' && exception !== null
    ? (exception as { [PROBLEM]?: ProblemFields })[PROBLEM]
    : undefined;
}
