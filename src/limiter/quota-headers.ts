/* The headers and the problem of a decision: X-RateLimit-* of the tightest policy, which most clients read, and RateLimit with
 * RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11, structured fields of RFC 9651) for all policies. */
import type { ProblemFields } from '../common/problem.js';
import { denies, type PolicyState, type QuotaDecision } from './consume.js';
import { type Policy, REQUESTS, wholeSeconds } from './policy.js';

const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded';
/** For limits that only misbehaving clients reach. */
export const ABNORMAL_USAGE = 'https://iana.org/assignments/http-problem-types#abnormal-usage-detected';

/** Header pairs, name and value in turn. */
export function quotaHeaders(
  { granted, policyStates: all }: QuotaDecision,
  epochMs: number,
  informative: boolean,
): readonly string[] {
  // Clients do not see policies in shadow mode: they would slow down and distort the measurement.
  const policyStates = all.filter(({ policy }) => !policy.shadow);
  if (policyStates.length === 0) return [];
  const headers = granted ? [] : denialHeaders(policyStates);
  if (!informative) return headers;
  const tightest = findTightest(policyStates);
  let state = '';
  let policies = '';
  for (const policyState of policyStates) {
    const separator = state === '' ? '"' : ', "';
    const { policy } = policyState;
    const seconds = secondsToReset(policyState);
    state += `${separator}${policy.name}";r=${policyState.remaining}${seconds === undefined ? '' : `;t=${seconds}`}`;
    policies += `${separator}${policy.name}";q=${policy.limit}${describeWindow(policy)}`;
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

/**
 * The clients of openai and anthropic wait as long as `Retry-After` says up to a minute. Beyond it they retry within seconds, unless
 * `X-Should-Retry` tells them not to.
 */
const MAX_RETRY_SECONDS = 60;

function denialHeaders(policyStates: readonly PolicyState[]): string[] {
  const seconds = retryAfterSeconds(policyStates);
  const isRetryable = seconds <= MAX_RETRY_SECONDS && areRetryable(policyStates);
  return ['Retry-After', String(seconds), ...(isRetryable ? [] : ['X-Should-Retry', 'false'])];
}

/** Whether waiting helps: a request that costs more than the whole limit is never granted. */
const areRetryable = (policyStates: readonly PolicyState[]): boolean =>
  policyStates.every(policyState => !denies(policyState) || policyState.resetMs !== Infinity);

/** The unit, unless it is the draft's default, and the window, which a concurrency limit does not have. */
function describeWindow(policy: Policy): string {
  const unit = policy.unit === REQUESTS ? '' : `;qu="${policy.unit}"`;
  return policy.rule === 'concurrency' ? unit : `${unit};w=${wholeSeconds(policy.windowMs)}`;
}

/** The problem of a denied request. */
export function quotaProblem({ policyStates: all }: QuotaDecision): ProblemFields {
  const policyStates = all.filter(({ policy }) => !policy.shadow);
  const violated = policyStates.filter(denies);
  const tightest = findTightest(policyStates);
  return {
    status: 429,
    code: 'rate_limited',
    type: QUOTA_EXCEEDED,
    detail: `Limit: ${tightest.policy.text}`,
    members: {
      retryable: areRetryable(violated),
      retry_after_seconds: retryAfterSeconds(policyStates),
      'violated-policies': violated.map(({ policy }) => policy.name),
    },
  };
}

/** Seconds that satisfy every violated policy: whole, rounded up, at least 1, never beyond the window. */
export function retryAfterSeconds(policyStates: readonly PolicyState[]): number {
  let seconds = 1;
  for (const policyState of policyStates) {
    if (denies(policyState)) seconds = Math.max(seconds, secondsToReset(policyState) ?? 1);
  }
  return seconds;
}

/** `undefined` for a concurrency limit: when a request in flight ends is unknown. */
function secondsToReset(policyState: PolicyState): number | undefined {
  if (policyState.policy.rule === 'concurrency') return undefined;
  return policyState.resetMs === 0 ? 0 : wholeSeconds(finiteMs(policyState));
}

/**
 * A request that costs more than the whole limit is never granted: the whole window is sent. A client over a concurrency limit may
 * retry in a second.
 */
function finiteMs({ resetMs, policy }: PolicyState): number {
  if (policy.rule === 'concurrency') return resetMs === 0 ? 0 : 1_000;
  return resetMs === Infinity ? policy.windowMs : resetMs;
}

/** Of violated policies the one that takes longest, else the one with the fewest units left. */
function findTightest(policyStates: readonly PolicyState[]): PolicyState {
  let tightest = policyStates[0]!;
  for (const policyState of policyStates) {
    if (policyState.violated !== tightest.violated) {
      if (policyState.violated) tightest = policyState;
    } else if (policyState.violated) {
      if (finiteMs(policyState) > finiteMs(tightest)) tightest = policyState;
    } else if (policyState.remaining < tightest.remaining) {
      tightest = policyState;
    }
  }
  return tightest;
}
