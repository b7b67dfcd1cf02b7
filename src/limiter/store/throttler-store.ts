import type { ThrottlerStorage } from '@nestjs/throttler';
import { joinKey } from '../../common/join-key.js';
import { isRecord } from '../../common/read-options.js';
import { DEADLINE_MS, InvalidChargeError } from './guarded-store.js';
import { denies, type PolicyState, type QuotaDecision } from '../consume.js';
import type { Policy } from '../policy.js';
import type { QuotaStore, StoredCharge } from './quota-store.js';

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** Each unit is a call. No storage answers more within the deadline, and one in memory would block the event loop. */
const MAX_COST = 10_000;

/**
 * Makes a store of a `ThrottlerStorage` (@nestjs/throttler). A storage decides on one limit at a time, so the policies are consumed in
 * turn. The first that denies ends the decision; what the policies before it have counted stays counted.
 */
export class ThrottlerQuotaStore implements QuotaStore {
  constructor(
    private readonly storage: ThrottlerStorage,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** @throws InvalidChargeError for a cost of more calls than a storage can answer in time */
  consume(charges: readonly StoredCharge[]): Promise<QuotaDecision> {
    for (const { policies, cost } of charges) {
      if (cost > MAX_COST && policies.some(({ limit }) => cost <= limit))
        throw new InvalidChargeError(
          `A ThrottlerStorage counts one unit per call: a cost must be at most ${MAX_COST}, received ${cost}`,
        );
    }
    return this.#consume(charges);
  }

  async #consume(charges: readonly StoredCharge[]): Promise<QuotaDecision> {
    const lateMs = this.nowMs() + DEADLINE_MS;
    const policyStates: PolicyState[] = [];
    for (const { key, policies, cost } of charges) {
      // The interface can only consume: a cost of 0 makes no call.
      if (cost === 0) continue;
      for (const policy of policies) {
        const policyState = await this.#consumePolicy(key, policy, cost, lateMs);
        policyStates.push(policyState);
        if (denies(policyState)) return { granted: false, policyStates };
      }
    }
    return { granted: true, policyStates };
  }

  async #consumePolicy(key: string, policy: Policy, cost: number, lateMs: number): Promise<PolicyState> {
    const { name, limit, windowMs, blockMs } = policy;
    // Consumed unit by unit, a denied request would use up the whole limit.
    if (cost > limit) return { policy, remaining: 0, resetMs: Infinity, violated: true };
    const increment = async (): Promise<ThrottlerStorageRecord> =>
      checkRecord(
        await this.storage.increment(joinKey(key, name), windowMs, limit, blockMs ?? windowMs, name),
      );
    let record = await increment();
    for (let unit = 1; unit < cost && !record.isBlocked; unit++) {
      if (this.nowMs() >= lateMs)
        throw new Error(`${unit} of ${cost} units took more than ${DEADLINE_MS} ms`);
      record = await increment();
    }
    const { isBlocked, totalHits, timeToBlockExpire, timeToExpire } = record;
    return {
      policy,
      remaining: isBlocked ? 0 : Math.max(0, limit - totalHits),
      resetMs: Math.max(0, isBlocked ? timeToBlockExpire : timeToExpire) * 1000,
      violated: isBlocked,
    };
  }
}

/** @throws TypeError for anything that is not a record: it could count as granted. Of the two times only the one in use is checked. */
function checkRecord(value: unknown): ThrottlerStorageRecord {
  if (isRecord(value) && typeof value['isBlocked'] === 'boolean') {
    const { isBlocked, totalHits, timeToBlockExpire, timeToExpire } = value;
    const isCounted = Number.isSafeInteger(totalHits) && (totalHits as number) >= 0;
    if (isCounted && Number.isFinite(isBlocked ? timeToBlockExpire : timeToExpire))
      return value as unknown as ThrottlerStorageRecord;
  }
  throw new TypeError('its answer is not a record of a ThrottlerStorage');
}
