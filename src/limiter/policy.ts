/* A policy: how many units per window, counted by which algorithm, under which name. */

export const ALGORITHMS = ['sliding-window', 'fixed-window', 'token-bucket', 'concurrency'] as const;
export type AlgorithmName = (typeof ALGORITHMS)[number];

/**
 * A policy: how many units per window, counted by which algorithm, under which name. A `QuotaStore` receives it in each charge.
 * @example
 * const windowStartMs = (policy: Policy, nowMs: number) => nowMs - (nowMs % policy.windowMs);
 */
export interface Policy {
  /** The name that clients see; `10-per-second` if the user gave none. */
  readonly name: string;
  /** Whether the user gave the name: `@SkipThrottle({ name: true })` and `@Throttle({ name: … })` match named policies only. */
  readonly named: boolean;
  /** Units per window; for `'concurrency'`, the most leases at a time. */
  readonly limit: number;
  /** The window in milliseconds; for `'concurrency'`, the lifetime of a lease. */
  readonly windowMs: number;
  /** How many milliseconds a client that exceeds the limit is denied, if not until the window has room again. */
  readonly blockMs: number | undefined;
  /** The algorithm that counts. */
  readonly algorithm: AlgorithmName;
  /** The capacity of a token bucket; the limit for the other algorithms. */
  readonly burst: number;
  /** What is counted, sent to clients as `qu`. @default 'requests' */
  readonly unit: string;
  /** Shadow mode: evaluated, counted and reported, but never enforced. */
  readonly shadow: boolean;
  /** Shares of the limit (0 to 1, ascending) that emit `limit.threshold` when they are used. */
  readonly alertAt: readonly number[] | undefined;
  /** "10 requests per 1 second". */
  readonly text: string;
}

/** The same policies in shadow mode. */
export const inShadowMode = (policies: readonly Policy[]): readonly Policy[] =>
  policies.map(policy => ({ ...policy, shadow: true }));

/** The quota units of draft-ietf-httpapi-ratelimit-headers, for policies without a unit of their own. */
export const REQUESTS = 'requests';
export const CONCURRENT_REQUESTS = 'concurrent-requests';

/** Whole seconds, rounded up, at least 1: a client that may retry after 0 seconds does so at once. */
export function wholeSeconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}
