/* The headers and the problem of a decision: X-RateLimit-* of the tightest policy, which most clients read, and RateLimit with
 * RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11, structured fields of RFC 9651) for all policies. */
import { pairsOf } from '../common/header-lines.js';
import type { ProblemFields } from '../common/problem.js';
import { denies, type PolicyState, type QuotaDecision } from './consume.js';
import { type Policy, REQUESTS, wholeSeconds } from './policy.js';

const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded';
/** For limits that only misbehaving clients reach. */
export const ABNORMAL_USAGE = 'https://iana.org/assignments/http-problem-types#abnormal-usage-detected';

/** Header pairs, name and value in turn. */
export const quotaHeaders = (...decided: Parameters<typeof quotaLines>): readonly string[] =>
  pairsOf(quotaLines(...decided));

/** The headers as lines of a response's head. Nothing in them needs a check: policies are validated, and the rest are numbers. */
export function quotaLines(
  { granted, policyStates: all }: QuotaDecision,
  epochMs: number,
  informative: boolean,
): string {
  const policyStates = withoutShadow(all);
  if (policyStates.length === 0) return '';
  const denial = granted ? '' : denialLines(policyStates);
  if (!informative) return denial;
  const tightest = findTightest(policyStates);
  const { names, text } = describeList(policyStates);
  let state = '';
  for (let index = 0; index < policyStates.length; index++) {
    const seconds = secondsToReset(policyStates[index]!);
    state += `${names[index]!}${policyStates[index]!.remaining}${seconds === undefined ? '' : `;t=${seconds}`}`;
  }
  return (
    `${denial}X-RateLimit-Limit: ${tightest.policy.limit}\r\nX-RateLimit-Remaining: ${tightest.remaining}\r\n` +
    `X-RateLimit-Reset: ${Math.ceil((epochMs + finiteMs(tightest)) / 1000)}\r\n` +
    `RateLimit-Policy: ${text}\r\nRateLimit: ${state}\r\n`
  );
}

/** Clients do not see policies in shadow mode: they would slow down and distort the measurement. */
const withoutShadow = (all: readonly PolicyState[]): readonly PolicyState[] =>
  all.some(({ policy }) => policy.shadow) ? all.filter(({ policy }) => !policy.shadow) : all;

/** What is the same in every answer about a list of policies. */
interface ListText {
  readonly policies: readonly Policy[];
  /** For each policy, the beginning of its item in `RateLimit`. */
  readonly names: readonly string[];
  /** `RateLimit-Policy` */
  readonly text: string;
}

/** The last list that began with a policy. A route has one list, unless its limits depend on the client. */
const texts = new WeakMap<Policy, ListText>();

function describeList(policyStates: readonly PolicyState[]): ListText {
  const known = texts.get(policyStates[0]!.policy);
  if (known !== undefined && known.policies.length === policyStates.length) {
    let same = 1;
    while (same < policyStates.length && known.policies[same] === policyStates[same]!.policy) same++;
    if (same === policyStates.length) return known;
  }
  const policies = policyStates.map(({ policy }) => policy);
  const names = policies.map(({ name }, index) => `${index === 0 ? '' : ', '}"${name}";r=`);
  const text = policies
    .map(policy => `"${policy.name}";q=${policy.limit}${describeWindow(policy)}`)
    .join(', ');
  const described = { policies, names, text };
  texts.set(policies[0]!, described);
  return described;
}

/**
 * The clients of openai and anthropic wait as long as `Retry-After` says up to a minute. Beyond it they retry within seconds, unless
 * `X-Should-Retry` tells them not to.
 */
const MAX_RETRY_SECONDS = 60;

function denialLines(policyStates: readonly PolicyState[]): string {
  const seconds = retryAfterSeconds(policyStates);
  const isRetryable = seconds <= MAX_RETRY_SECONDS && areRetryable(policyStates);
  return `Retry-After: ${seconds}\r\n${isRetryable ? '' : 'X-Should-Retry: false\r\n'}`;
}

/** Whether waiting helps: a request that costs more than the whole limit is never granted. */
const areRetryable = (policyStates: readonly PolicyState[]): boolean =>
  policyStates.every(policyState => !denies(policyState) || policyState.resetMs !== Infinity);

/** The unit, unless it is the draft's default, and the window, which a concurrency limit does not have. */
function describeWindow(policy: Policy): string {
  const unit = policy.unit === REQUESTS ? '' : `;qu="${policy.unit}"`;
  return policy.algorithm === 'concurrency' ? unit : `${unit};w=${wholeSeconds(policy.windowMs)}`;
}

/** The problem of a denied request. */
export function quotaProblem({
  policyStates: all,
}: QuotaDecision): ProblemFields & { readonly type: string } {
  const policyStates = withoutShadow(all);
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
  if (policyState.policy.algorithm === 'concurrency') return undefined;
  return policyState.resetMs === 0 ? 0 : wholeSeconds(finiteMs(policyState));
}

/**
 * A request that costs more than the whole limit is never granted: the whole window is sent. A client over a concurrency limit may
 * retry in a second.
 */
function finiteMs({ resetMs, policy }: PolicyState): number {
  if (policy.algorithm === 'concurrency') return resetMs === 0 ? 0 : 1_000;
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
