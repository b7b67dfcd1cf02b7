import type { ThrottlerStorage } from '@nestjs/throttler';
import type { Clock } from '../common/clock.js';
import { hashKey } from './hash-key.js';
import { EVERY_POLICY, judge } from './judge.js';
import { createPolicy } from './policy.js';
import { QuotaTable } from './quota-table.js';

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** Bounds how many different limits are kept; a limit that is computed for each request must not fill the memory. */
const MAX_TABLES = 1_000;

/** A storage for @nestjs/throttler whose cost does not grow with the limit and whose memory does not grow with the clients. */
export class MemoryThrottlerStorage implements ThrottlerStorage {
  readonly #tables = new Map<string, QuotaTable>();

  constructor(
    private readonly maxClients: number,
    private readonly clock: Clock,
  ) {}

  async increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerStorageRecord> {
    const table = this.#tableOf(ttl, limit, blockDuration);
    // With the length in front, no name and key can read like another name and key.
    const name = `${throttlerName.length}:${throttlerName}:${key}`;
    const charge = { table, mask: EVERY_POLICY, key: hashKey(name), cost: 1 };
    const { granted, standings } = judge([charge], this.clock.monotonicMs());
    const { remaining, resetMs } = standings[0]!;
    const seconds = Math.ceil(resetMs / 1000);
    return {
      totalHits: limit - remaining + (granted ? 0 : 1),
      timeToExpire: seconds,
      isBlocked: !granted,
      timeToBlockExpire: granted ? 0 : seconds,
    };
  }

  #tableOf(ttl: number, limit: number, blockDuration: number): QuotaTable {
    const id = `${ttl}/${limit}/${blockDuration}`;
    let table = this.#tables.get(id);
    if (table === undefined) {
      if (this.#tables.size >= MAX_TABLES) this.#tables.delete(this.#tables.keys().next().value!);
      table = new QuotaTable(
        [createPolicy({ limit, windowMs: ttl, blockMs: blockDuration })],
        this.maxClients,
      );
      this.#tables.set(id, table);
    }
    return table;
  }
}
