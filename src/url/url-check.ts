import type { EdgeCheck } from '../common/edge-check.js';
import { checkUrl, urlRejection } from './check-url.js';
import type { ResolvedUrl } from './url.options.js';

export const URL_CHECK = Symbol('agent-security:url-check');

/** Rejects URLs that are too long, and ambiguous paths. */
export const createUrlCheck = (options: ResolvedUrl): EdgeCheck => ({
  check: ({ url = '' }) => {
    const decision = checkUrl(url, options);
    return decision.allowed ? undefined : urlRejection(decision.reason, options.maxLength);
  },
});
