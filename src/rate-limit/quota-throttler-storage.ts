import { Logger } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { type Clock, systemClock } from '../common/clock.js';
import { GuardedStore } from './guarded-store.js';
import { hashKey } from './hash-key.js';
import { EVERY_POLICY, judge, type Verdict } from './judge.js';
import { createPolicy } from './policy.js';
import type { QuotaStore } from './quota-store.js';
import { QuotaTable } from './quota-table.js';

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

export interface QuotaThrottlerStorageOptions {
  /** Counts that several processes share. While it fails, each process counts by itself. @default none */
  readonly store?: QuotaStore;
  /** Clients that one limit holds in memory. @default 250000 */
  readonly maxClients?: number;
  readonly clock?: Clock;
}

/** Bounds how many different limits are kept; a limit that is computed for each request must not fill the memory. */
const MAX_TABLES = 1_000;

/**
 * A storage for a plain `ThrottlerModule` of @nestjs/throttler: its cost does not grow with the limit, nor its memory with the clients.
 * @example
 * ThrottlerModule.forRoot({ throttlers, storage: new QuotaThrottlerStorage({ store: await createRedisStore(url) }) })
 */
export class QuotaThrottlerStorage implements ThrottlerStorage {
  readonly #tables = new Map<string, QuotaTable>();
  readonly #store: GuardedStore | undefined;
  readonly #maxClients: number;
  readonly #clock: Clock;

  constructor({ store, maxClients = 250_000, clock = systemClock }: QuotaThrottlerStorageOptions = {}) {
    this.#maxClients = maxClients;
    this.#clock = clock;
    this.#store = store && new GuardedStore(store, clock, new Logger(QuotaThrottlerStorage.name));
  }

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
    const { granted, standings } = (await this.#shared(name, table)) ?? this.#local(name, table);
    const { remaining, resetMs } = standings[0]!;
    const seconds = Math.ceil(resetMs / 1000);
    return {
      totalHits: limit - remaining + (granted ? 0 : 1),
      timeToExpire: seconds,
      isBlocked: !granted,
      timeToBlockExpire: granted ? 0 : seconds,
    };
  }

  async #shared(name: string, { policies }: QuotaTable): Promise<Verdict | undefined> {
    return this.#store?.judge([{ key: `throttler:${name}`, owner: name, policies, cost: 1 }]);
  }

  #local(name: string, table: QuotaTable): Verdict {
    return judge([{ table, mask: EVERY_POLICY, key: hashKey(name), cost: 1 }], this.#clock.monotonicMs());
  }

  #tableOf(ttl: number, limit: number, blockDuration: number): QuotaTable {
    const id = `${ttl}/${limit}/${blockDuration}`;
    let table = this.#tables.get(id);
    if (table === undefined) {
      if (this.#tables.size >= MAX_TABLES) this.#tables.delete(this.#tables.keys().next().value!);
      table = new QuotaTable(
        [createPolicy({ limit, windowMs: ttl, blockMs: blockDuration })],
        this.#maxClients,
      );
      this.#tables.set(id, table);
    }
    return table;
  }
}
