import { Logger } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { type Clock, systemClock } from '../common/clock.js';
import { show } from '../common/show-value.js';
import { BoundedMap } from '../common/bounded-map.js';
import { joinKey } from '../common/join-key.js';
import { GuardedStore } from '../limiter/store/guarded-store.js';
import { hashKey } from '../common/hash-key.js';
import { consume, EVERY_POLICY } from '../limiter/consume.js';
import { MAX_LIMIT } from '../limiter/parse-limits.js';
import { wholeSeconds } from '../limiter/policy.js';
import type { QuotaStore } from '../limiter/store/quota-store.js';
import { QuotaTable } from '../limiter/table/quota-table.js';
import { createPolicy } from '../limiter/create-policy.js';

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * The options of `QuotaThrottlerStorage`.
 * @example
 * const options: QuotaThrottlerStorageOptions = { store: await createRedisStore(url), maxClients: 50_000 };
 */
export interface QuotaThrottlerStorageOptions {
  /** A store that several processes share. While it fails, each process counts by itself. @default none */
  readonly store?: QuotaStore;
  /** How many clients one limit holds in memory. @default 250000 */
  readonly maxClients?: number;
  readonly clock?: Clock;
}

const SCOPE = 'throttler';
/** Bounds the memory of limits that are computed for each request. */
const MAX_TABLES = 1_000;
/** Ten years, in place of longer windows and blocks and of `Infinity`: no process runs so long, and every clock can count it. */
const MAX_MS = 10 * 365 * 86_400_000;

/**
 * A storage for a plain `ThrottlerModule` of @nestjs/throttler, with bounded memory. Its cost does not grow with the limit.
 * @example
 * ThrottlerModule.forRoot({ throttlers, storage: new QuotaThrottlerStorage({ store: await createRedisStore(url) }) })
 */
export class QuotaThrottlerStorage implements ThrottlerStorage {
  readonly #tables = new BoundedMap<string, QuotaTable>(MAX_TABLES);
  readonly #store: GuardedStore | undefined;
  readonly #maxClients: number;
  readonly #clock: Clock;

  constructor({ store, maxClients = 250_000, clock = systemClock }: QuotaThrottlerStorageOptions = {}) {
    this.#maxClients = maxClients;
    this.#clock = clock;
    this.#store = store && new GuardedStore(store, clock, new Logger(QuotaThrottlerStorage.name));
  }

  /**
   * A limit below 1 blocks every client; with a `blockDuration` of 0 or less no block outlasts the window. Larger numbers, `Infinity`
   * included, are taken for a limit of a billion and for ten years.
   * @throws RangeError for `NaN`, for a value that is no number, and for a `ttl` below 1, with which nothing would be counted
   */
  async increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerStorageRecord> {
    const windowMs = Math.min(Math.ceil(checkNumber('ttl', ttl, 1)), MAX_MS);
    const blockMs = Math.min(Math.max(0, checkNumber('blockDuration', blockDuration)), MAX_MS);
    const most = Math.min(Math.floor(checkNumber('limit', limit)), MAX_LIMIT);
    if (most < 1) return rejectAlways(windowMs, blockMs);
    const table = this.#tableOf(windowMs, most, blockMs);
    const name = joinKey(throttlerName, key);
    const { policies } = table;
    const stored = { key: joinKey(SCOPE, name), scope: SCOPE, partitionKey: name, policies, cost: 1 };
    const charge = { table, mask: EVERY_POLICY, key: hashKey(name), cost: 1 };
    const { granted, policyStates } =
      (await this.#store?.consume([stored])) ?? consume([charge], this.#clock.monotonicMs());
    const { remaining, resetMs } = policyStates[0]!;
    const seconds = Math.ceil(resetMs / 1000);
    return {
      totalHits: most - remaining + (granted ? 0 : 1),
      timeToExpire: seconds,
      isBlocked: !granted,
      timeToBlockExpire: granted ? 0 : seconds,
    };
  }

  #tableOf(windowMs: number, limit: number, blockMs: number): QuotaTable {
    const id = joinKey(windowMs, limit, blockMs);
    let table = this.#tables.get(id);
    if (table === undefined) {
      table = new QuotaTable([createPolicy({ limit, windowMs, blockMs })], this.#maxClients);
      this.#tables.set(id, table);
    }
    return table;
  }
}

/** The result of @nestjs/throttler's own storage for a first hit above the limit. Nothing need be counted for it. */
function rejectAlways(windowMs: number, blockMs: number): ThrottlerStorageRecord {
  return {
    totalHits: 1,
    timeToExpire: wholeSeconds(windowMs),
    isBlocked: true,
    timeToBlockExpire: wholeSeconds(blockMs || windowMs),
  };
}

function checkNumber(name: string, value: number, min = -Infinity): number {
  if (typeof value === 'number' && value >= min) return value;
  const range = min === -Infinity ? '' : ` from ${min}`;
  throw new RangeError(`QuotaThrottlerStorage: ${name} must be a number${range}, received ${show(value)}`);
}
