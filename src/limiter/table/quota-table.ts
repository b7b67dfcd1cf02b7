/* The clients of one quota: rows of numbers in typed arrays, found by 64-bit keys. It grows and shrinks in small steps, so that no request
 * waits for a clean-up, and it never holds more clients than its bound.
 *
 * A decision reads one entry of an index and one row: with many clients it costs cache misses and little else. For each new client the
 * table checks two old rows and removes those whose windows are empty.
 *
 * At the bound, a new client replaces the one of eight rows that has used the least. A client that has used up a limit is never replaced:
 * if all eight have, the new client shares one row with all such clients. So a flood of new keys cannot reset a client that is over its
 * limit; it can only make new clients share a row. */
import type { Algorithm, Cells } from '../algorithms/algorithm.js';
import { createAlgorithm } from '../algorithms/create-algorithm.js';
import { KeyIndex, spreadKey } from './key-index.js';
import { MAX_LIMIT } from '../parse-limits.js';
import type { Policy } from '../policy.js';
import { Chunk, KEY_CELLS, QuotaRows } from './quota-rows.js';

const SWEPT_PER_INSERT = 2;
const EVICTION_SAMPLE = 8;

export class QuotaTable {
  /** The row of the last `find`: its memory, and its first cell. */
  cells: Cells;
  at = 0;
  /** The units of each policy that were available at the last decision. */
  readonly offered: number[];

  readonly #algorithms: readonly Algorithm[];
  /** Where each policy's cells begin in a row. */
  readonly #offsets: readonly number[];
  readonly #rows: QuotaRows;
  readonly #index: KeyIndex;
  /** The row that is checked next for removal. */
  #hand = 0;
  /** The row that new clients share while the table is full. */
  readonly #shared: Cells;

  /** @throws RangeError for a policy whose numbers cannot be counted */
  constructor(
    readonly policies: readonly Policy[],
    private readonly maxClients: number,
  ) {
    for (const policy of policies) checkPolicy(policy);
    const offsets: number[] = [];
    let stride = KEY_CELLS;
    this.#algorithms = policies.map(createAlgorithm);
    for (const algorithm of this.#algorithms) {
      if (algorithm.aligned) stride += stride % 2;
      offsets.push(stride);
      stride += algorithm.cells;
    }
    // Rows begin on 64 bits, so that aligned cells are aligned in every row.
    stride += stride % 2;
    this.#offsets = offsets;
    this.offered = policies.map(() => 0);
    this.#rows = new QuotaRows(stride);
    this.#index = new KeyIndex(this.#rows, maxClients);
    this.#shared = new Chunk(stride);
    this.cells = this.#shared;
  }

  /** How many clients it holds. */
  get size(): number {
    return this.#rows.count;
  }

  /** Selects the row of a client, and adds it if there is none. */
  find(hi: number, lo: number, nowMs: number): void {
    const hash = spreadKey(hi, lo);
    const row = this.#index.find(hi, lo, hash);
    if (row === -1) this.#insert(hi, lo, hash, nowMs);
    else this.#select(row);
  }

  /** Selects the row of a client; false if there is none. Adds nothing. */
  peek(hi: number, lo: number): boolean {
    const row = this.#index.find(hi, lo, spreadKey(hi, lo));
    if (row !== -1) this.#select(row);
    return row !== -1;
  }

  /** Whether the shared row is selected. */
  get isShared(): boolean {
    return this.cells === this.#shared;
  }

  /** Selects the row that new clients share. */
  share(): void {
    this.cells = this.#shared;
    this.at = 0;
  }

  /** Removes a client. */
  delete(hi: number, lo: number): void {
    const row = this.#index.find(hi, lo, spreadKey(hi, lo));
    if (row !== -1) this.#drop(row);
  }

  available(policy: number, nowMs: number): number {
    return this.#algorithms[policy]!.available(this.cells, this.at + this.#offsets[policy]!, nowMs);
  }

  charge(policy: number, nowMs: number, cost: number): void {
    this.#algorithms[policy]!.charge(this.cells, this.at + this.#offsets[policy]!, nowMs, cost);
  }

  refund(policy: number, nowMs: number, cost: number, chargedMs: number): void {
    const at = this.at + this.#offsets[policy]!;
    this.#algorithms[policy]!.refund(this.cells, at, nowMs, cost, chargedMs);
  }

  waitMs(policy: number, nowMs: number, cost: number): number {
    return this.#algorithms[policy]!.waitMs(this.cells, this.at + this.#offsets[policy]!, nowMs, cost);
  }

  resetMs(policy: number, nowMs: number): number {
    return this.#algorithms[policy]!.resetMs(this.cells, this.at + this.#offsets[policy]!, nowMs);
  }

  denied(policy: number, nowMs: number): void {
    this.#algorithms[policy]!.denied?.(this.cells, this.at + this.#offsets[policy]!, nowMs);
  }

  #insert(hi: number, lo: number, hash: number, nowMs: number): void {
    this.#sweep(nowMs);
    if (this.#rows.count >= this.maxClients && !this.#evict(nowMs)) {
      return this.share();
    }
    const row = this.#rows.add(hi, lo);
    this.#index.add(hash, row);
    this.#select(row);
  }

  #select(row: number): void {
    this.cells = this.#rows.cellsOf(row);
    this.at = this.#rows.offsetOf(row);
  }

  #sweep(nowMs: number): void {
    for (let looked = 0; looked < SWEPT_PER_INSERT && this.#rows.count > 0; looked++) {
      if (this.#hand >= this.#rows.count) this.#hand = 0;
      if (this.#use(this.#hand, nowMs) === 0) this.#drop(this.#hand);
      else this.#hand++;
    }
  }

  /** Makes room for one row; false if every row that it checked has used up a limit. */
  #evict(nowMs: number): boolean {
    const { count } = this.#rows;
    let leastUsed = -1;
    let least = 1;
    for (let looked = 0; looked < EVICTION_SAMPLE && looked < count; looked++) {
      const row = (this.#hand + looked) % count;
      const use = this.#use(row, nowMs);
      if (use < least) [leastUsed, least] = [row, use];
    }
    this.#hand += EVICTION_SAMPLE;
    if (leastUsed === -1) return false;
    this.#drop(leastUsed);
    return true;
  }

  /** The used share of a row's tightest limit, 0 (every window is empty) to 1. */
  #use(row: number, nowMs: number): number {
    const cells = this.#rows.cellsOf(row);
    const begin = this.#rows.offsetOf(row);
    let most = 0;
    for (let policy = 0; policy < this.policies.length; policy++) {
      const { burst } = this.policies[policy]!;
      const algorithm = this.#algorithms[policy]!;
      const at = begin + this.#offsets[policy]!;
      const available = algorithm.available(cells, at, nowMs);
      if (algorithm.resetMs(cells, at, nowMs) === 0) continue;
      const use = available <= 0 ? 1 : Math.max(Number.EPSILON, 1 - available / burst);
      if (use > most) most = use;
    }
    return most;
  }

  /** Removes a row; the last one takes its number. */
  #drop(row: number): void {
    const last = this.#rows.count - 1;
    this.#index.remove(this.#rows.hashOf(row), row);
    if (row !== last) this.#index.renumber(this.#rows.hashOf(last), last, row);
    this.#rows.replaceByLast(row);
  }
}

/** A limit of 0 or `NaN` would write `NaN` into rows, and the search for a client would never end. */
function checkPolicy({ name, limit, burst, windowMs }: Policy): void {
  for (const units of [limit, burst]) {
    if (Number.isInteger(units) && units >= 1 && units <= MAX_LIMIT) continue;
    throw new RangeError(`The policy ${name} must allow 1 to ${MAX_LIMIT}, received ${units}`);
  }
  if (windowMs >= 1 && windowMs < Infinity) return;
  throw new RangeError(`The policy ${name} must have a window from 1 ms, received ${windowMs}`);
}
