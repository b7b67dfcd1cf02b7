/* Makes a policy of what an option or a store knows of it: its name, its text and its defaults. */
import { UNIT_MS } from '../common/parse-duration.js';
import { type AlgorithmName, CONCURRENT_REQUESTS, type Policy, REQUESTS } from './policy.js';

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

/** The longest first. */
const PERIODS = Object.entries(UNIT_MS).toReversed();

export function createPolicy(parts: PolicyParts): Policy {
  const { limit, windowMs } = parts;
  const algorithm = parts.algorithm ?? 'sliding-window';
  const isConcurrency = algorithm === 'concurrency';
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
    algorithm,
    burst: parts.burst ?? limit,
    unit,
    shadow: parts.shadow ?? false,
    alertAt: parts.alertAt,
    text: isConcurrency ? amount : `${amount} per ${count} ${period}${count === 1 ? '' : 's'}`,
  };
}
