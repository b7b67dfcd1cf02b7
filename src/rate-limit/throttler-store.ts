import type { ThrottlerStorage } from '@nestjs/throttler';
import type { Standing, Verdict } from './judge.js';
import type { QuotaStore, StoredCharge } from './quota-store.js';

/**
 * A storage of @nestjs/throttler's interface as a store. It knows one limit at a time, so the policies are asked in turn, and the
 * first that refuses ends it; what the ones before it have counted stays counted.
 */
export class ThrottlerQuotaStore implements QuotaStore {
  constructor(private readonly storage: ThrottlerStorage) {}

  async judge(charges: readonly StoredCharge[]): Promise<Verdict> {
    const standings: Standing[] = [];
    for (const { key, policies, cost } of charges) {
      // The interface can only take: a request that costs nothing is not asked about.
      if (cost === 0) continue;
      for (const policy of policies) {
        const { name, limit, windowMs, blockMs } = policy;
        const increment = () =>
          this.storage.increment(`${key}:${name}`, windowMs, limit, blockMs ?? windowMs, name);
        let record = await increment();
        for (let unit = 1; unit < cost && !record.isBlocked; unit++) record = await increment();
        const seconds = record.isBlocked ? record.timeToBlockExpire : record.timeToExpire;
        standings.push({
          policy,
          remaining: record.isBlocked ? 0 : Math.max(0, limit - record.totalHits),
          resetMs: Math.max(0, seconds) * 1000,
          violated: record.isBlocked,
        });
        if (record.isBlocked) return { granted: false, standings };
      }
    }
    return { granted: true, standings };
  }
}
