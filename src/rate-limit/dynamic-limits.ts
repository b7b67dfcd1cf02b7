/* Limits that are looked up, for each owner of a quota, and kept for a while. */
import type { ExecutionContext } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import type { PlatformRequest } from '../common/http-request.js';
import type { Key64 } from '../common/ip-address.js';
import type { DynamicRule } from './limit-rule.js';
import type { Policy } from './policy.js';
import type { QuotaTable } from './quota-table.js';

export interface LimitLookup {
  readonly owner: string;
  /** Under which the owner is counted. */
  readonly key: Key64;
  readonly request: PlatformRequest;
  readonly context: ExecutionContext;
}

interface Known {
  /** `undefined` while nobody is asked again, since a lookup has hung. */
  readonly text: string | undefined;
  untilMs: number;
}

/** Owners whose limits are remembered. */
const MAX_OWNERS = 10_000;
/** Different limits, each with counts of its own. */
const MAX_LIMITS = 1_000;
/** A lookup that takes longer has failed; what it says later is used for the next request. */
const DEADLINE_MS = 1_000;
/** An owner whose lookup hung is looked up again after this. */
const RETRY_MS = 1_000;
/** Lookups that may hang at once: owners can be the clients' to choose. */
const MAX_UNANSWERED = 1_000;

/** Thrown where no limit is known and none can be looked up. */
export class LimitUnknownError extends Error {
  override readonly name = 'LimitUnknownError';
}

export class DynamicLimit {
  readonly #known = new Map<string, Known>();
  readonly #lookups = new Map<string, Promise<void>>();
  readonly #tables = new Map<string, QuotaTable>();
  #unanswered = 0;
  #failing = false;

  constructor(
    private readonly rule: DynamicRule,
    private readonly createTable: (policies: readonly Policy[]) => QuotaTable,
    private readonly clock: Clock,
    private readonly log: { error(message: string): void },
  ) {}

  /** The counts under the owner's limit. @throws LimitUnknownError while no limit of the owner's is known */
  async tableOf(lookup: LimitLookup): Promise<QuotaTable> {
    const known = this.#known.get(lookup.owner);
    if (known === undefined || this.clock.monotonicMs() >= known.untilMs) await this.#lookUp(lookup);
    const { text } = this.#known.get(lookup.owner) ?? {};
    if (text === undefined) throw new LimitUnknownError(`No limit is known of ${lookup.owner}`);
    return this.#tableFor(text);
  }

  /** Once for all requests that wait for the same owner. Never rejects. */
  #lookUp(lookup: LimitLookup): Promise<void> {
    const { owner } = lookup;
    let running = this.#lookups.get(owner);
    if (running === undefined) {
      if (this.#unanswered >= MAX_UNANSWERED) {
        this.#fail(owner, `${MAX_UNANSWERED} lookups are unanswered`);
        return Promise.resolve();
      }
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>(resolve => {
        timer = setTimeout(() => {
          this.#fail(owner, `no limit within ${DEADLINE_MS} ms`);
          if (!this.#known.has(owner)) this.#remember(owner, undefined, RETRY_MS);
          resolve();
        }, DEADLINE_MS).unref();
      });
      // What hangs is not waited for by the requests that come later.
      running = Promise.race([this.#ask(lookup), late]).finally(() => {
        clearTimeout(timer);
        this.#lookups.delete(owner);
      });
      this.#lookups.set(owner, running);
    }
    return running;
  }

  async #ask(lookup: LimitLookup): Promise<void> {
    const { owner, key, request, context } = lookup;
    this.#unanswered++;
    try {
      const text = await this.rule.resolve(owner, request, context);
      const table = this.#tableFor(text);
      const before = this.#known.get(owner);
      if (before?.text !== undefined && before.text !== text)
        carryOver(this.#tableFor(before.text), table, key, this.clock.monotonicMs());
      this.#remember(owner, text, this.rule.ttlMs);
      this.#failing = false;
    } catch (error) {
      this.#fail(owner, error instanceof Error ? error.message : String(error));
    } finally {
      this.#unanswered--;
    }
  }

  /** What is known of the owner holds a while longer. */
  #fail(owner: string, reason: string): void {
    const known = this.#known.get(owner);
    if (known?.text !== undefined) known.untilMs = this.clock.monotonicMs() + this.rule.ttlMs;
    if (this.#failing) return;
    this.#failing = true;
    this.log.error(`A limit could not be looked up (${reason}); owners keep the limit that was known last.`);
  }

  #remember(owner: string, text: string | undefined, ttlMs: number): void {
    this.#known.delete(owner);
    if (this.#known.size >= MAX_OWNERS) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(owner, { text, untilMs: this.clock.monotonicMs() + ttlMs });
  }

  #tableFor(text: string): QuotaTable {
    let table = this.#tables.get(text);
    if (table === undefined) {
      table = this.createTable(this.rule.createPolicies(text));
      if (this.#tables.size >= MAX_LIMITS) this.#tables.delete(this.#tables.keys().next().value!);
      this.#tables.set(text, table);
    }
    return table;
  }
}

/** What an owner has used under one limit counts under the next, from now on. */
function carryOver(from: QuotaTable, to: QuotaTable, { hi, lo }: Key64, nowMs: number): void {
  const used = to.policies.map(policy => {
    const index = from.policies.findIndex(
      before =>
        before.windowMs === policy.windowMs && before.rule === policy.rule && before.unit === policy.unit,
    );
    if (index === -1 || !from.peek(hi, lo)) return 0;
    return from.policies[index]!.burst - from.available(index, nowMs);
  });
  if (used.every(units => units === 0)) return;
  to.find(hi, lo, nowMs);
  for (const [index, units] of used.entries()) {
    to.available(index, nowMs);
    if (units > 0) to.charge(index, nowMs, units);
  }
  from.delete(hi, lo);
}
