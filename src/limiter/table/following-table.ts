/* The counts of a limit that is looked up. When an owner's limit changes, what it has used moves to the table of the next limit, each unit
 * as old as it is: who is given a new limit every few seconds must not be kept from what leaves its window meanwhile. What was charged
 * before (a slot that is still held, an estimate that is settled late) is settled where the counts are then. */
import type { Key64 } from '../../common/ip-address.js';
import type { Policy } from '../policy.js';
import { Chunk } from './quota-rows.js';
import { QuotaTable } from './quota-table.js';

/** Where an owner is counted. */
export interface Whereabouts {
  readonly table: QuotaTable;
  /** On the monotonic clock. What was charged elsewhere before is not part of the counts. */
  readonly sinceMs: number;
}

export class FollowingTable extends QuotaTable {
  /** Where the owner is counted that it has turned to last, if elsewhere. */
  #elsewhere: Whereabouts | undefined;

  constructor(
    policies: readonly Policy[],
    maxClients: number,
    private readonly locate: (key: Key64) => Whereabouts | undefined,
  ) {
    super(policies, maxClients);
  }

  override find(hi: number, lo: number, nowMs: number): void {
    this.#follow(hi, lo);
    if (this.#elsewhere === undefined) super.find(hi, lo, nowMs);
    else this.#elsewhere.table.find(hi, lo, nowMs);
  }

  override peek(hi: number, lo: number): boolean {
    this.#follow(hi, lo);
    return this.#elsewhere === undefined ? super.peek(hi, lo) : this.#elsewhere.table.peek(hi, lo);
  }

  /** What went to the shared row of another table is nobody's: nothing of it is given back. */
  override get isShared(): boolean {
    return this.#elsewhere === undefined && super.isShared;
  }

  override share(): void {
    this.#elsewhere = undefined;
    super.share();
  }

  /** By this table's limit, whatever is in force now. */
  override available(policy: number, nowMs: number): number {
    if (this.#elsewhere === undefined) return super.available(policy, nowMs);
    const { table } = this.#elsewhere;
    const heir = heirOf(this, policy, table);
    const used = heir === -1 ? 0 : table.policies[heir]!.burst - table.available(heir, nowMs);
    return this.policies[policy]!.burst - used;
  }

  override charge(policy: number, nowMs: number, cost: number): void {
    if (this.#elsewhere === undefined) return super.charge(policy, nowMs, cost);
    const { table } = this.#elsewhere;
    const heir = heirOf(this, policy, table);
    if (heir !== -1) table.charge(heir, nowMs, cost);
  }

  override refund(policy: number, nowMs: number, cost: number, chargedMs: number): void {
    if (this.#elsewhere === undefined) return super.refund(policy, nowMs, cost, chargedMs);
    const { table, sinceMs } = this.#elsewhere;
    const heir = heirOf(this, policy, table);
    if (heir === -1 || chargedMs < sinceMs) return;
    const before = this.policies[policy]!;
    if (before.rule !== 'token-bucket') return table.refund(heir, nowMs, cost, chargedMs);
    // What the bucket has gained since, at the faster of both rates, may have gone over its brim.
    const rate = Math.max(before.limit, table.policies[heir]!.limit) / before.windowMs;
    const left = cost - (nowMs - chargedMs) * rate;
    if (left > 0) table.refund(heir, nowMs, left, nowMs);
  }

  override waitMs(policy: number, nowMs: number, cost: number): number {
    if (this.#elsewhere === undefined) return super.waitMs(policy, nowMs, cost);
    const heir = heirOf(this, policy, this.#elsewhere.table);
    return heir === -1 ? 0 : this.#elsewhere.table.waitMs(heir, nowMs, cost);
  }

  override resetMs(policy: number, nowMs: number): number {
    if (this.#elsewhere === undefined) return super.resetMs(policy, nowMs);
    const heir = heirOf(this, policy, this.#elsewhere.table);
    return heir === -1 ? 0 : this.#elsewhere.table.resetMs(heir, nowMs);
  }

  #follow(hi: number, lo: number): void {
    const now = this.locate({ hi, lo });
    const isElsewhere =
      now !== undefined &&
      now.table !== this &&
      this.policies.some((_policy, index) => heirOf(this, index, now.table) !== -1);
    this.#elsewhere = isElsewhere ? now : undefined;
  }
}

/** What a policy still counts: moments on the monotonic clock, and units that were charged then. */
type History = readonly (readonly [chargedMs: number, units: number])[];

/** Forgets an owner. @returns what each policy of the next table is to count of it */
export function takeOut(
  from: QuotaTable,
  to: QuotaTable,
  { hi, lo }: Key64,
  nowMs: number,
): readonly History[] {
  const histories: History[] = to.policies.map(() => []);
  if (!from.peek(hi, lo)) return histories;
  for (const index of from.policies.keys()) {
    const heir = heirOf(from, index, to);
    if (heir !== -1) histories[heir] = historyOf(from, index, nowMs);
  }
  if (histories.some(({ length }) => length > 0)) from.delete(hi, lo);
  return histories;
}

/** Counts what was taken out of another table. */
export function putIn(to: QuotaTable, histories: readonly History[], { hi, lo }: Key64, nowMs: number): void {
  if (histories.every(({ length }) => length === 0)) return;
  to.find(hi, lo, nowMs);
  for (const [index, history] of histories.entries()) {
    to.available(index, nowMs);
    for (const [chargedMs, units] of history) to.charge(index, chargedMs, units);
  }
}

/** The policy of another table that counts on what one has counted: of several with the same window, each has its own. -1 for none. */
function heirOf(from: QuotaTable, policy: number, to: QuotaTable): number {
  const { windowMs, rule, unit } = from.policies[policy]!;
  const isAlike = (other: Policy): boolean =>
    other.windowMs === windowMs && other.rule === rule && other.unit === unit;
  let before = from.policies.slice(0, policy).filter(isAlike).length;
  return to.policies.findIndex(other => isAlike(other) && before-- === 0);
}

/** More moments than any algorithm tells apart. */
const MAX_MOMENTS = 16;
/** Above what a sum of fractions of milliseconds may be off by. */
const ROUNDING_MS = 1e-5;

function historyOf(table: QuotaTable, index: number, nowMs: number): History {
  const policy = table.policies[index]!;
  const used = policy.burst - table.available(index, nowMs);
  if (used === 0) return [];
  return policy.rule === 'token-bucket'
    ? [[nowMs, owedOf(table, index, nowMs)]]
    : momentsOf(table, index, nowMs);
}

/** A bucket's debt to the fraction: rounded at each change, it would never be paid off while changes come faster than tokens. */
function owedOf(table: QuotaTable, index: number, nowMs: number): number {
  const { burst, limit, windowMs } = table.policies[index]!;
  return burst - table.available(index, nowMs) - 1 + (table.resetMs(index, nowMs) * limit) / windowMs;
}

/** Looks ahead: what leaves at some moment was charged as long before it as the algorithm keeps a charge. */
function momentsOf(table: QuotaTable, index: number, nowMs: number): History {
  const policy = table.policies[index]!;
  const lifeMs = lifeOf(policy);
  // The others count by spans of time; rounding must not put a charge into the span before.
  const slackMs = policy.rule === 'fixed-window' ? 0 : ROUNDING_MS;
  const history: [chargedMs: number, units: number][] = [];
  let used = policy.burst - table.available(index, nowMs);
  let atMs = nowMs;
  for (let turn = 0; turn < MAX_MOMENTS && used > 0; turn++) {
    const leavesMs = atMs + table.resetMs(index, atMs);
    atMs = leavesMs + ROUNDING_MS;
    const still = policy.burst - table.available(index, atMs);
    if (still < used) history.push([leavesMs - lifeMs + slackMs, used - still]);
    used = still;
  }
  if (used > 0) history.push([nowMs, used]);
  return history;
}

/** How long a charge counts that is made at the beginning of whatever time the algorithm rounds to. */
function lifeOf({ algorithm }: Policy): number {
  const cells = new Chunk(algorithm.cells + (algorithm.cells % 2));
  algorithm.charge(cells, 0, 0, 1);
  return algorithm.resetMs(cells, 0, 0);
}
