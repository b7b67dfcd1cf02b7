import { HttpException } from '@nestjs/common';
import { PROBLEM, type ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { Rejection } from '../common/rejection.js';
import { withoutStack } from '../common/without-stack.js';

/** An HttpException that carries a problem. Exception filters of the app see an HttpException. */
export class ProblemException extends HttpException {
  readonly [PROBLEM]: ProblemFields;

  constructor(fields: ProblemFields) {
    super(bodyForFilters(fields), fields.status);
    this[PROBLEM] = fields;
  }
}

/** What a filter of the app sends that answers with `getResponse()`, as Nest's own does: Nest's members and those of the problem. */
export const bodyForFilters = ({ status, code, detail, members }: ProblemFields): object => ({
  statusCode: status,
  message: detail ?? code,
  code,
  ...members,
});

/** Creates the exception of a rejection. The response reads the rejection's headers from the request's state. */
export function rejectionException(
  { problem, headers }: Rejection,
  state: RequestState | undefined,
): ProblemException {
  state?.reject(problem);
  if (state?.response !== undefined) {
    if (problem.status === 429) {
      state.limits.quotaHeaders = headers;
      // The module's limit would write the same headers.
      state.limits.charged = true;
    } else {
      state.rejectionHeaders = headers;
    }
  }
  return withoutStack(() => new ProblemException(problem));
}
