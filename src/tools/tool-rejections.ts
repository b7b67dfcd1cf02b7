/* Rejections of calls for their identity (RFC 6750 section 3), where the module itself verifies no credentials. */
import { bearerChallenge } from '../identity/challenge.js';
import type { Rejection } from '../common/rejection.js';

/** The rejections of the authenticator, so that an API has one challenge. */
export interface IdentityRejections {
  readonly missing: Rejection;
  insufficientScope(all: readonly string[], any: readonly string[]): Rejection;
}

export const PLAIN_REJECTIONS: IdentityRejections = {
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
    headers: [
      'WWW-Authenticate',
      bearerChallenge([
        ['error', 'insufficient_scope'],
        ['scope', scopes.join(' ')],
      ]),
    ],
  }),
};

export const NOT_ALLOWED: Rejection = {
  problem: { status: 403, code: 'tool_not_allowed', detail: 'The agent may not call this tool.' },
  headers: [],
};
