/* Clients that Redis has just denied. The store denies them from here until their reset, so that a flood of denied requests costs Redis
 * nothing. */
import { BoundedMap } from '../common/bounded-map.js';
import type { QuotaDecision } from '../limiter/consume.js';
import type { PolicySet, QuotaCall } from './quota-call.js';

interface Denial {
  readonly set: PolicySet;
  readonly decision: QuotaDecision;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Keeps denials of requests that draw on one key and cost one unit: a smaller cost might be granted. */
export class RecentDenials {
  readonly #denials: BoundedMap<string, Denial>;

  constructor(private readonly max: number) {
    this.#denials = new BoundedMap(max);
  }

  /** @param requestedMs a moment before Redis decided: counting from here ends early rather than late */
  add(call: QuotaCall, decision: QuotaDecision, requestedMs: number): void {
    if (this.max === 0 || !isSimple(call)) return;
    const untilMs = requestedMs + lastingMs(decision);
    if (untilMs <= requestedMs) return;
    this.#denials.set(call.keys[0]!, { set: call.sets[0]!, decision, fromMs: requestedMs, untilMs });
  }

  find(call: QuotaCall, nowMs: number): QuotaDecision | undefined {
    if (this.#denials.size === 0 || !isSimple(call)) return undefined;
    const denial = this.#denials.get(call.keys[0]!);
    if (denial === undefined || denial.set !== call.sets[0] || nowMs >= denial.untilMs) return undefined;
    const passedMs = nowMs - denial.fromMs;
    return {
      granted: false,
      policyStates: denial.decision.policyStates.map(policyState => ({
        ...policyState,
        resetMs: Math.max(0, policyState.resetMs - passedMs),
      })),
    };
  }

  /** Units were given back under these keys. */
  delete(keys: readonly string[]): void {
    for (const key of keys) this.#denials.delete(key);
  }
}

const isSimple = ({ charges }: QuotaCall): boolean => charges.length === 1 && charges[0]!.cost === 1;

/**
 * How long a denial stays as it is: until the first policy gives units back. A denial by a concurrency limit is not kept, since a lease may
 * end at any moment.
 */
function lastingMs({ policyStates }: QuotaDecision): number {
  let firstMs = Infinity;
  for (const { policy, violated, resetMs } of policyStates) {
    if (violated && policy.algorithm === 'concurrency') return 0;
    if (resetMs > 0) firstMs = Math.min(firstMs, resetMs);
  }
  // Redis reads its clock in whole milliseconds.
  return firstMs === Infinity ? 0 : firstMs - 1;
}
