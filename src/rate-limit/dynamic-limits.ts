/* Limits that are looked up, for each owner of a quota, and kept for a while. */
import type { Log } from '../common/log.js';
import type { ExecutionContext } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import type { PlatformRequest } from '../common/http-request.js';
import type { Key64 } from '../common/ip-address.js';
import { BoundedMap } from '../common/bounded-map.js';
import { joinKey } from '../common/join-key.js';
import { FollowingTable, putIn, takeOut, type Whereabouts } from '../limiter/table/following-table.js';
import type { DynamicRule } from './limit-rule.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import { logLine } from '../common/log-text.js';

export interface LimitLookup {
  readonly partitionKey: string;
  /** Under which the owner is counted. */
  readonly key: Key64;
  readonly request: PlatformRequest;
  readonly context: ExecutionContext;
}

interface Known extends Whereabouts {
  readonly text: string;
  readonly table: FollowingTable;
  untilMs: number;
  /** The number of the lookup that said so. */
  readonly lookup: number;
}

/** Owners whose limits are remembered. */
const MAX_OWNERS = 10_000;
/** Different limits whose counts owners share. One that is forgotten here counts on for the owners that are remembered. */
const MAX_LIMITS = 1_000;
/** A lookup that takes longer has failed; what it says later is used for the next request. */
const DEADLINE_MS = 1_000;
/** An owner whose lookup hung is looked up again after this. */
const RETRY_MS = 1_000;
/** Lookups that may hang at once: owners can be the clients' to choose. */
const MAX_UNANSWERED = 1_000;
/** A lookup that hangs for so long is taken for one that will never answer, and makes room for another. */
const GIVE_UP_MS = 60_000;

/** Thrown where no limit is known and none can be looked up. */
export class LimitUnknownError extends Error {
  override readonly name = 'LimitUnknownError';
}

export class DynamicLimit {
  /** By the owner's key: the owner's name may be long. */
  readonly #known = new BoundedMap<string, Known>(MAX_OWNERS);
  /** Until when nobody is asked about owners of whom nothing is known, since a lookup has hung. */
  readonly #hung = new BoundedMap<string, number>(MAX_OWNERS);
  readonly #lookups = new Map<string, Promise<void>>();
  readonly #tables = new BoundedMap<string, FollowingTable>(MAX_LIMITS);
  /** Those that hang too, by their numbers, oldest first: when they began. */
  readonly #unanswered = new Map<number, number>();
  #resolutions = 0;
  #failing = false;

  constructor(
    private readonly rule: DynamicRule,
    private readonly maxClients: number,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'error'>,
  ) {}

  /** The counts under the owner's limit. @throws LimitUnknownError while no limit of the owner's is known */
  async tableOf(lookup: LimitLookup): Promise<QuotaTable> {
    const id = idOf(lookup.key);
    const untilMs = this.#known.get(id)?.untilMs ?? this.#hung.get(id);
    if (untilMs === undefined || this.clock.monotonicMs() >= untilMs) await this.#lookUp(id, lookup);
    const known = this.#known.get(id);
    if (known === undefined) throw new LimitUnknownError(`No limit is known of ${lookup.partitionKey}`);
    return known.table;
  }

  /** Once for all requests that wait for the same owner. Never rejects. */
  #lookUp(id: string, lookup: LimitLookup): Promise<void> {
    let running = this.#lookups.get(id);
    if (running === undefined) {
      if (!this.#mayResolve()) {
        this.#fail(id, `${MAX_UNANSWERED} lookups are unanswered`);
        return Promise.resolve();
      }
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>(resolve => {
        timer = setTimeout(() => {
          this.#fail(id, `no limit within ${DEADLINE_MS} ms`);
          if (!this.#known.has(id)) this.#hung.set(id, this.clock.monotonicMs() + RETRY_MS);
          resolve();
        }, DEADLINE_MS).unref();
      });
      // What hangs is not waited for by the requests that come later.
      running = Promise.race([this.#resolve(id, lookup), late]).finally(() => {
        clearTimeout(timer);
        this.#lookups.delete(id);
      });
      this.#lookups.set(id, running);
    }
    return running;
  }

  #mayResolve(): boolean {
    if (this.#unanswered.size < MAX_UNANSWERED) return true;
    const [oldest, beganMs] = this.#unanswered.entries().next().value!;
    return this.clock.monotonicMs() - beganMs >= GIVE_UP_MS && this.#unanswered.delete(oldest);
  }

  async #resolve(id: string, { partitionKey, key, request, context }: LimitLookup): Promise<void> {
    const number = ++this.#resolutions;
    this.#unanswered.set(number, this.clock.monotonicMs());
    try {
      this.#learn(id, key, await this.rule.resolve(partitionKey, request, context), number);
      this.#failing = false;
    } catch (error) {
      this.#fail(id, error instanceof Error ? error.message : String(error));
    } finally {
      this.#unanswered.delete(number);
    }
  }

  #learn(id: string, key: Key64, text: string, lookup: number): void {
    const before = this.#known.get(id);
    if (before !== undefined && lookup < before.lookup) return;
    const nowMs = this.clock.monotonicMs();
    const table = before?.text === text ? before.table : this.#tableFor(text);
    const used =
      before === undefined || before.table === table ? [] : takeOut(before.table, table, key, nowMs);
    const untilMs = nowMs + this.rule.ttlMs;
    this.#known.set(id, { text, table, untilMs, sinceMs: before?.sinceMs ?? nowMs, lookup });
    this.#hung.delete(id);
    putIn(table, used, key, nowMs);
  }

  /** What is known of the owner holds a while longer. */
  #fail(id: string, reason: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.untilMs = this.clock.monotonicMs() + this.rule.ttlMs;
    if (this.#failing) return;
    this.#failing = true;
    this.log.error(
      logLine`A limit could not be looked up (${reason}); owners keep the limit that was known last.`,
    );
  }

  #tableFor(text: string): FollowingTable {
    let table = this.#tables.get(text);
    if (table === undefined) {
      const locate = (key: Key64): Whereabouts | undefined => this.#known.get(idOf(key));
      table = new FollowingTable(this.rule.createPolicies(text), this.maxClients, locate);
      this.#tables.set(text, table);
    }
    return table;
  }
}

const idOf = ({ hi, lo }: Key64): string => joinKey(hi, lo);
