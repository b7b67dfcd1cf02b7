/* A policy: so much in so long, by which algorithm, under which name. */
import { UNIT_MS } from '../common/time-units.js';
import type { Algorithm } from './algorithms/algorithm.js';
import { BlockingWindow } from './algorithms/blocking-window.js';
import { Concurrency } from './algorithms/concurrency.js';
import { FixedWindow } from './algorithms/fixed-window.js';
import { SlidingWindow } from './algorithms/sliding-window.js';
import { TokenBucket } from './algorithms/token-bucket.js';

export const ALGORITHMS = ['sliding-window', 'fixed-window', 'token-bucket', 'concurrency'] as const;
export type AlgorithmName = (typeof ALGORITHMS)[number];

export interface Policy {
  /** As clients see it; `10-per-second` where the user gave none. */
  readonly name: string;
  /** Whether the user gave the name: `@SkipThrottle({ name: true })` and `@Throttle({ name: … })` reach it by that. */
  readonly named: boolean;
  readonly limit: number;
  readonly windowMs: number;
  /** How long a client that exceeds it is refused, where that is not up to the window. */
  readonly blockMs: number | undefined;
  /** By which rule, for stores that keep the counts themselves. */
  readonly rule: AlgorithmName;
  /** What a token bucket holds; the limit for the other rules. */
  readonly burst: number;
  /** What is counted, as `qu` tells clients: requests where the user names nothing else. */
  readonly unit: string;
  /** Judged, counted and reported, and never the cause of a refusal. */
  readonly shadow: boolean;
  /** Shares of the limit (0 to 1, ascending) whose use is an event; `undefined` for none. */
  readonly alertAt: readonly number[] | undefined;
  /** The rule on counts in this process's memory. */
  readonly algorithm: Algorithm;
  /** "10 requests per 1 second". */
  readonly text: string;
}

/** The same policies, none of which ever refuses. */
export const inShadowMode = (policies: readonly Policy[]): readonly Policy[] =>
  policies.map(policy => ({ ...policy, shadow: true }));

export interface PolicyParts {
  readonly name?: string | undefined;
  readonly limit: number;
  readonly windowMs: number;
  readonly algorithm?: AlgorithmName | undefined;
  readonly burst?: number | undefined;
  readonly blockMs?: number | undefined;
  readonly unit?: string | undefined;
  readonly shadow?: boolean | undefined;
  readonly alertAt?: readonly number[] | undefined;
}

/** The units of the IETF draft: what a policy counts where it names none. */
export const REQUESTS = 'requests';
export const CONCURRENT_REQUESTS = 'concurrent-requests';

/** The longest first. */
const PERIODS = Object.entries(UNIT_MS).toReversed();

export function createPolicy(parts: PolicyParts): Policy {
  const { limit, windowMs } = parts;
  const rule = parts.algorithm ?? 'sliding-window';
  const isConcurrency = rule === 'concurrency';
  const unit = parts.unit ?? (isConcurrency ? CONCURRENT_REQUESTS : REQUESTS);
  const [period, periodMs] = PERIODS.find(([, ms]) => windowMs % ms === 0) ?? ['millisecond', 1];
  const count = windowMs / periodMs;
  const name = isConcurrency
    ? `${limit}-concurrent`
    : `${limit}-per-${count === 1 ? period : `${count}-${period}s`}`;
  const noun = unit === CONCURRENT_REQUESTS ? 'concurrent requests' : unit;
  const amount = `${limit} ${limit === 1 ? noun.replace(/s$/, '') : noun}`;
  return {
    name: parts.name ?? name,
    named: parts.name !== undefined,
    limit,
    windowMs,
    blockMs: parts.blockMs,
    rule,
    burst: parts.burst ?? limit,
    unit,
    shadow: parts.shadow ?? false,
    alertAt: parts.alertAt,
    algorithm: createAlgorithm(parts),
    text: isConcurrency ? amount : `${amount} per ${count} ${period}${count === 1 ? '' : 's'}`,
  };
}

function createAlgorithm({ limit, windowMs, algorithm, burst, blockMs }: PolicyParts): Algorithm {
  if (blockMs !== undefined && blockMs > 0) return new BlockingWindow(limit, windowMs, blockMs);
  switch (algorithm) {
    case 'fixed-window':
      return new FixedWindow(limit, windowMs);
    case 'concurrency':
      return new Concurrency(limit, windowMs);
    case 'token-bucket':
      return new TokenBucket(limit, windowMs, burst ?? limit);
    default:
      return new SlidingWindow(limit, windowMs);
  }
}

/** The window in whole seconds, as `w` and `Retry-After` give it: rounded up, at least 1. */
export function windowSeconds(policy: Policy): number {
  return wholeSeconds(policy.windowMs);
}

/** Whole seconds, rounded up, at least 1: a client told to wait 0 seconds hammers. */
export function wholeSeconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}
