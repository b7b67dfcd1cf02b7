import type { ThrottlerStorage } from '@nestjs/throttler';
import { joinKey } from '../../common/join-key.js';
import { isRecord } from '../../common/read-options.js';
import { DEADLINE_MS, InvalidChargeError } from './guarded-store.js';
import { denies, type PolicyState, type QuotaDecision } from '../consume.js';
import type { Policy } from '../policy.js';
import type { QuotaStore, StoredCharge } from './quota-store.js';

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** A unit is a call. No storage does more in the time that a decision has, and one in memory would keep the process busy with them. */
const MAX_COST = 10_000;

/**
 * A storage of @nestjs/throttler's interface as a store. It knows one limit at a time, so the policies are asked in turn, and the
 * first that refuses ends it; what the ones before it have counted stays counted.
 */
export class ThrottlerQuotaStore implements QuotaStore {
  constructor(
    private readonly storage: ThrottlerStorage,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** @throws UnaskableError for a cost that is more calls than a storage can be asked for */
  consume(charges: readonly StoredCharge[]): Promise<QuotaDecision> {
    for (const { policies, cost } of charges) {
      if (cost > MAX_COST && policies.some(({ limit }) => cost <= limit))
        throw new InvalidChargeError(
          `A ThrottlerStorage counts one unit a call: a cost must be at most ${MAX_COST}, received ${cost}`,
        );
    }
    return this.#consume(charges);
  }

  async #consume(charges: readonly StoredCharge[]): Promise<QuotaDecision> {
    const lateMs = this.nowMs() + DEADLINE_MS;
    const policyStates: PolicyState[] = [];
    for (const { key, policies, cost } of charges) {
      // The interface can only take: a request that costs nothing is not asked about.
      if (cost === 0) continue;
      for (const policy of policies) {
        const policyState = await this.#take(key, policy, cost, lateMs);
        policyStates.push(policyState);
        if (denies(policyState)) return { granted: false, policyStates };
      }
    }
    return { granted: true, policyStates };
  }

  async #take(key: string, policy: Policy, cost: number, lateMs: number): Promise<PolicyState> {
    const { name, limit, windowMs, blockMs } = policy;
    // Asked unit by unit, it would use up the whole limit to be refused.
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

/** @throws TypeError for what would pass for granted and is no record. Of the two times only the one that counts need be one. */
function checkRecord(value: unknown): ThrottlerStorageRecord {
  if (isRecord(value) && typeof value['isBlocked'] === 'boolean') {
    const { isBlocked, totalHits, timeToBlockExpire, timeToExpire } = value;
    const isCounted = Number.isSafeInteger(totalHits) && (totalHits as number) >= 0;
    if (isCounted && Number.isFinite(isBlocked ? timeToBlockExpire : timeToExpire))
      return value as unknown as ThrottlerStorageRecord;
  }
  throw new TypeError('its answer is no record of a ThrottlerStorage');
}
