import type { Rejection } from '../common/rejection.js';

/** The shared store does not answer, and `onStoreError` is `'deny'`. */
export const LIMITS_UNAVAILABLE: Rejection = {
  problem: {
    status: 503,
    code: 'limits_unavailable',
    type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
    detail: 'The limits of this request cannot be checked at the moment.',
    members: { retryable: true, retry_after_seconds: 1 },
  },
  headers: ['Retry-After', '1'],
};
