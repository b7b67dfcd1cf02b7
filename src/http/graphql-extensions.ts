/* The `extensions` of a GraphQL error, which graphql-js reads from the error that a resolver throws. */
import { STATUS_CODES } from 'node:http';
import type { ProblemDetails } from '../common/problem.js';

interface GraphqlExtensions {
  /** A code as Apollo and others name it. */
  readonly code: string;
  /** The same as the body of an HTTP rejection. */
  readonly problem: ProblemDetails;
}

/** Codes that GraphQL clients know; the others are derived from the status. */
const CODES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  429: 'RATE_LIMITED',
  500: 'INTERNAL_SERVER_ERROR',
};

export function graphqlExtensions(problem: ProblemDetails): GraphqlExtensions {
  const { status } = problem;
  const code = CODES[status] ?? (STATUS_CODES[status] ?? 'ERROR').toUpperCase().replace(/[^A-Z]+/g, '_');
  return { code, problem };
}
