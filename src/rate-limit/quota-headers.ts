/* What a client is told: X-RateLimit-* of the tightest policy, as most clients read, and RateLimit with RateLimit-Policy
 * (draft-ietf-httpapi-ratelimit-headers-11, structured fields of RFC 9651) for all of them. */
import type { ProblemFields } from '../common/problem.js';
import type { Standing, Verdict } from './judge.js';
import { wholeSeconds, windowSeconds } from './policy.js';

const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded';

/** Header pairs, name and value in turn. */
export function quotaHeaders(
  { granted, standings }: Verdict,
  epochMs: number,
  informative: boolean,
): readonly string[] {
  if (standings.length === 0) return [];
  const tightest = findTightest(standings);
  const headers = granted ? [] : ['Retry-After', String(retryAfterSeconds(standings))];
  if (!informative) return headers;
  let state = '';
  let policies = '';
  for (const standing of standings) {
    const separator = state === '' ? '"' : ', "';
    const { policy } = standing;
    state += `${separator}${policy.name}";r=${standing.remaining};t=${secondsToReset(standing)}`;
    policies += `${separator}${policy.name}";q=${policy.limit};w=${windowSeconds(policy)}`;
  }
  headers.push(
    'X-RateLimit-Limit',
    String(tightest.policy.limit),
    'X-RateLimit-Remaining',
    String(tightest.remaining),
    'X-RateLimit-Reset',
    String(Math.ceil((epochMs + finiteMs(tightest)) / 1000)),
    'RateLimit-Policy',
    policies,
    'RateLimit',
    state,
  );
  return headers;
}

/** The problem of a refused request. */
export function quotaProblem({ standings }: Verdict): ProblemFields {
  const violated = standings.filter(standing => standing.violated);
  const tightest = findTightest(standings);
  return {
    status: 429,
    code: 'rate_limited',
    type: QUOTA_EXCEEDED,
    detail: `Limit: ${tightest.policy.text}`,
    members: {
      retryable: violated.every(({ resetMs }) => resetMs !== Infinity),
      retry_after_seconds: retryAfterSeconds(standings),
      'violated-policies': violated.map(({ policy }) => policy.name),
    },
  };
}

/** 24 days: a client that multiplies more by 1000 overflows its timer, and comes back at once. */
const MAX_WAIT_SECONDS = 2_147_483;

/** Seconds that satisfy every violated policy: whole, rounded up, at least 1, never beyond the window. */
export function retryAfterSeconds(standings: readonly Standing[]): number {
  let seconds = 1;
  for (const standing of standings) {
    if (standing.violated) seconds = Math.max(seconds, secondsToReset(standing));
  }
  return seconds;
}

function secondsToReset(standing: Standing): number {
  return standing.resetMs === 0 ? 0 : Math.min(wholeSeconds(finiteMs(standing)), MAX_WAIT_SECONDS);
}

/** A request that costs more than the whole limit never passes; what can be said is when the window is empty. */
function finiteMs({ resetMs, policy }: Standing): number {
  return resetMs === Infinity ? policy.windowMs : resetMs;
}

/** Of violated policies the one that takes longest, else the one with the least left. */
function findTightest(standings: readonly Standing[]): Standing {
  let tightest = standings[0]!;
  for (const standing of standings) {
    if (standing.violated !== tightest.violated) {
      if (standing.violated) tightest = standing;
    } else if (standing.violated) {
      if (standing.resetMs > tightest.resetMs) tightest = standing;
    } else if (standing.remaining < tightest.remaining) {
      tightest = standing;
    }
  }
  return tightest;
}
