/* The one error body of the app: RFC 9457 (problem details), with members that programs can act on. */
import { STATUS_CODES } from 'node:http';
import type { ProblemCode } from './problem-codes.js';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

export interface ProblemDetails {
  /** A URI for the kind of problem; `about:blank` where the status says it all. */
  readonly type: string;
  readonly title: string;
  /** Equal to the HTTP status. */
  readonly status: number;
  /** What went wrong this time, for people. */
  readonly detail?: string;
  /** What went wrong, for programs: stable, listed in docs/reference/errors.md. */
  readonly code: ProblemCode | (string & {});
  /** The same ID that the response's header carries. */
  readonly requestId?: string;
  readonly [member: string]: unknown;
}

/** The parts of a problem that its origin knows; the rest is filled in where it is answered. */
export interface ProblemFields {
  readonly status: number;
  readonly code: string;
  /** Overrides the type that `errors.typeBase` would give. */
  readonly type?: string;
  readonly detail?: string;
  /** For a 405 that is answered before routing: what `Allow` lists. */
  readonly allow?: string;
  /** Further members (extension members, RFC 9457 section 3.2). */
  readonly members?: Readonly<Record<string, unknown>>;
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

/** All that clients learn of a mistake of the server's. */
export const DETAIL_OF_5XX =
  "The request could not be answered. Its ID finds the reason in the server's log.";

/** Exceptions that know their own problem carry it under this symbol, whatever class a user's filters look for. */
export const PROBLEM = Symbol.for('agent-security:problem');

export function problemOf(exception: unknown): ProblemFields | undefined {
  return typeof exception === 'object' && exception !== null
    ? (exception as { [PROBLEM]?: ProblemFields })[PROBLEM]
    : undefined;
}
