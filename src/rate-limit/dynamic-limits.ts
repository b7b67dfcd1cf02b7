/* Dynamic limits: a function of the app resolves the limit of each client, and the result is used for a while. */
import type { ExecutionContext } from '@nestjs/common';
import { BoundedMap } from '../common/bounded-map.js';
import type { Clock } from '../common/clock.js';
import { within } from '../common/within.js';
import type { PlatformRequest } from '../common/http-request.js';
import type { Key64 } from '../common/ip-address.js';
import { joinKey } from '../common/join-key.js';
import { type Log, logLine } from '../common/log-text.js';
import type { Charge, CurrentTable } from '../limiter/consume.js';
import { carryOver } from '../limiter/table/carry-over.js';
import { QuotaTable } from '../limiter/table/quota-table.js';
import type { DynamicRule } from './limit-rule.js';

interface LimitLookup {
  readonly partitionKey: string;
  /** The key that the client is counted under. */
  readonly key: Key64;
  readonly request: PlatformRequest;
  readonly context: ExecutionContext;
}

interface KnownLimit extends CurrentTable {
  readonly text: string;
  untilMs: number;
}

/** Clients whose limits are remembered. */
const MAX_CLIENTS = 10_000;
/** Different limits with a table. A forgotten table stays in use for the clients that are remembered with it. */
const MAX_LIMITS = 1_000;
/** How long a request waits for a lookup. A later result is used for the next request. */
const DEADLINE_MS = 1_000;
/** After this time, a lookup without a result is started anew. */
const GIVE_UP_MS = 10_000;
/** Lookups that run at once: clients may choose their partition keys, and a lookup may hang. */
const MAX_LOOKUPS = 1_000;

/** No limit of a client is known, and the lookup has failed. */
export class LimitUnknownError extends Error {
  override readonly name = 'LimitUnknownError';
}

export class DynamicLimit {
  /** By the client's key: a partition key may be long. */
  readonly #known = new BoundedMap<string, KnownLimit>(MAX_CLIENTS);
  readonly #lookups = new Map<string, Promise<void>>();
  readonly #tables = new BoundedMap<string, QuotaTable>(MAX_LIMITS);
  #isFailing = false;

  constructor(
    private readonly rule: DynamicRule,
    private readonly maxClients: number,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'error'>,
  ) {}

  get isConcurrency(): boolean {
    return this.rule.algorithm === 'concurrency';
  }

  /** The table of the client's limit, as part of a charge. @throws LimitUnknownError if no limit of the client is known */
  async resolve(lookup: LimitLookup): Promise<Pick<Charge, 'table' | 'currentTable'>> {
    const id = joinKey(lookup.key.hi, lookup.key.lo);
    const known = this.#known.get(id);
    if (known === undefined || this.clock.monotonicMs() >= known.untilMs) await this.#lookUp(id, lookup);
    const table = this.#known.get(id)?.table;
    if (table === undefined) throw new LimitUnknownError(`No limit is known of ${lookup.partitionKey}`);
    return { table, currentTable: () => this.#known.get(id) };
  }

  /** One lookup for all requests that wait for the same client. Never rejects. */
  async #lookUp(id: string, lookup: LimitLookup): Promise<void> {
    let running = this.#lookups.get(id);
    if (running === undefined) {
      if (this.#lookups.size >= MAX_LOOKUPS) return this.#fail(id, `${MAX_LOOKUPS} lookups are running`);
      running = this.#run(id, lookup).finally(() => this.#lookups.delete(id));
      this.#lookups.set(id, running);
    }
    await within(running, DEADLINE_MS).catch((error: unknown) => this.#fail(id, error));
  }

  async #run(id: string, { partitionKey, key, request, context }: LimitLookup): Promise<void> {
    try {
      const limit = Promise.resolve(this.rule.resolve(partitionKey, request, context));
      this.#learn(id, key, await within(limit, GIVE_UP_MS, `no limit within ${GIVE_UP_MS} ms`));
      this.#isFailing = false;
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #learn(id: string, key: Key64, text: string): void {
    const before = this.#known.get(id);
    const table = before?.text === text ? before.table : this.#tableFor(text);
    const nowMs = this.clock.monotonicMs();
    const hasMoved = before !== undefined && before.table !== table;
    if (hasMoved) carryOver(before.table, table, key, nowMs);
    this.#known.set(id, {
      text,
      table,
      untilMs: nowMs + this.rule.ttlMs,
      knownSinceMs: before?.knownSinceMs ?? nowMs,
      movedMs: hasMoved ? nowMs : (before?.movedMs ?? nowMs),
    });
  }

  /** Keeps the limit that is known for another while. */
  #fail(id: string, error: unknown): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.untilMs = this.clock.monotonicMs() + this.rule.ttlMs;
    if (this.#isFailing) return;
    this.#isFailing = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.log.error(
      logLine`A dynamic limit could not be resolved (${reason}); the last known limit of each client stays in force.`,
    );
  }

  #tableFor(text: string): QuotaTable {
    let table = this.#tables.get(text);
    if (table === undefined) {
      table = new QuotaTable(this.rule.createPolicies(text), this.maxClients);
      this.#tables.set(text, table);
    }
    return table;
  }
}
