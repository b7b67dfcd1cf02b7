/* Describes limits for OpenAPI documents. */
import { RETRY_AFTER, type RouteResponse } from '../common/describe-route.js';
import type { Policy } from './policy.js';

const QUOTA_HEADERS = {
  'X-RateLimit-Limit': 'The limit of the tightest policy.',
  'X-RateLimit-Remaining': 'What is left of it.',
  'X-RateLimit-Reset': 'When it has room again, in seconds since the Unix epoch.',
  'RateLimit-Policy': 'All policies: name, quota q and window w in seconds.',
  RateLimit: 'The state of all policies: name, remaining quota r and seconds t.',
} as const;

/** "10 requests per 1 second, 100 requests per 1 minute"; empty without limits that are enforced. */
export const listLimits = (policies: readonly Policy[]): string =>
  [...new Set(policies.filter(({ shadow }) => !shadow).map(({ text }) => text))].join(', ');

/** @param informative whether X-RateLimit-* and RateLimit are sent */
export function describeQuota(description: string, informative: boolean): RouteResponse {
  const headers = informative ? { ...RETRY_AFTER, ...QUOTA_HEADERS } : RETRY_AFTER;
  return { status: 429, description, headers };
}
