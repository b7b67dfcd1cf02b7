/* The rejections that contain no challenge. */
import type { ProblemFields } from '../common/problem.js';
import { type Rejection, temporarilyUnavailable } from '../common/rejection.js';

/** Two credentials, one of which may come from a proxy or from another client. */
export const CREDENTIAL_AMBIGUOUS: Rejection = {
  problem: { status: 400, code: 'credential_ambiguous', detail: 'Send one credential, on one header line.' },
  headers: [],
};

/** A socket.io session of another agent, or one that does not exist. */
export const SESSION_UNKNOWN: Rejection = {
  problem: {
    status: 400,
    code: 'session_unknown',
    detail: 'The session does not exist. Open a new one.',
  },
  headers: [],
};

export const CREDENTIAL_IN_URL_PROBLEM: ProblemFields = {
  status: 400,
  code: 'credential_in_url',
  detail:
    'Credentials must not be sent in a URL, because URLs are logged. Send it in a header, and rotate this one.',
};

/** The key store, or the keys of a token issuer, are unavailable. */
export const IDENTITY_UNAVAILABLE = temporarilyUnavailable({
  code: 'identity_unavailable',
  detail: 'Credentials cannot be verified at the moment.',
});
