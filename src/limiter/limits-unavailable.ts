import { temporarilyUnavailable } from '../common/rejection.js';

/** The shared store does not answer, and `onStoreError` is `'deny'`. */
export const LIMITS_UNAVAILABLE = temporarilyUnavailable({
  code: 'limits_unavailable',
  detail: 'The limits of this request cannot be checked at the moment.',
});
