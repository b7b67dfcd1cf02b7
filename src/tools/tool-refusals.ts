/* What a call is answered whose identity does not suffice (RFC 6750 section 3), where the module verifies none itself. */
import { bearerChallenge } from '../identity/bearer-challenge.js';
import type { ProblemFields } from '../common/problem.js';

export interface Refusal {
  readonly problem: ProblemFields;
  /** Name and value in turn. */
  readonly headers: readonly string[];
}

/** The answers of whoever verifies credentials, so that one API has one challenge. */
export interface IdentityRefusals {
  readonly missing: Refusal;
  insufficientScope(all: readonly string[], any: readonly string[]): Refusal;
}

export const PLAIN_REFUSALS: IdentityRefusals = {
  missing: {
    problem: { status: 401, code: 'credential_missing', detail: 'This tool needs a verified agent.' },
    headers: ['WWW-Authenticate', bearerChallenge()],
  },
  insufficientScope: scopes => ({
    problem: {
      status: 403,
      code: 'insufficient_scope',
      detail: 'The credential does not have the scopes that this tool needs.',
      members: { required_scopes: scopes },
    },
    headers: ['WWW-Authenticate', bearerChallenge({ error: 'insufficient_scope', scopes })],
  }),
};

export const NOT_ALLOWED: Refusal = {
  problem: { status: 403, code: 'tool_not_allowed', detail: 'The agent may not call this tool.' },
  headers: [],
};

export const STORE_FAILING: Refusal = {
  problem: {
    status: 503,
    code: 'limits_unavailable',
    type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
    detail: 'The limits of this call cannot be judged at the moment.',
    members: { retryable: true, retry_after_seconds: 1 },
  },
  headers: ['Retry-After', '1'],
};
