import type { ProblemFields } from '../common/problem.js';

export const TLS_PROBLEM: ProblemFields = {
  status: 403,
  code: 'tls_required',
  detail: 'A connection must be opened over TLS.',
};
