/* The clients of one quota: rows of numbers in typed arrays, found by 64-bit keys. It grows and forgets in small steps, so that no
 * request waits for a clean-up, and it never holds more clients than its bound.
 *
 * Rows live in segments of at most 2048. A full segment splits in two (extendible hashing), which moves 2048 rows and nothing
 * else. Each new client makes the table look at two old rows and drop those whose windows are empty.
 *
 * At the bound, of eight rows the one that has used the least gives way to a newcomer. A client that has used up a limit
 * never gives way: if all eight have, the newcomer shares one row with all such newcomers. So a flood of new keys cannot free
 * an old offender; it can only make newcomers share. */
import type { Cells } from './algorithm.js';
import { KEY_CELLS, Segment, SEGMENT_ROWS, spread } from './segment.js';
import type { Policy } from './policy.js';

const SWEPT_PER_INSERT = 2;
const EVICTION_SAMPLE = 8;
const MAX_DEPTH = 20;

export class QuotaTable {
  /** Where the row of the last `find` is: its memory, and its first cell. */
  cells: Cells;
  at = 0;
  /** What each policy had to offer when it was asked last. */
  readonly offered: number[];
  /** How many clients it holds. */
  size = 0;

  readonly #stride: number;
  /** Where each policy's cells begin in a row. */
  readonly #offsets: readonly number[];
  #directory: Segment[];
  #depth = 0;
  readonly #shared: Segment;

  constructor(
    readonly policies: readonly Policy[],
    private readonly maxClients: number,
  ) {
    const offsets: number[] = [];
    let stride = KEY_CELLS;
    for (const { algorithm } of policies) {
      if (algorithm.aligned) stride += stride % 2;
      offsets.push(stride);
      stride += algorithm.cells;
    }
    // Rows begin on 64 bits, so that aligned cells are aligned in every row.
    stride += stride % 2;
    this.#offsets = offsets;
    this.#stride = stride;
    this.offered = policies.map(() => 0);
    this.#directory = [new Segment(0, stride)];
    this.#shared = new Segment(0, stride);
    this.#shared.add(0, 0, 0);
    this.cells = this.#shared.cellsOf(0);
  }

  /** Turns to the row of a client, a new one if need be. */
  find(hi: number, lo: number, nowMs: number): void {
    const hash = spread(hi, lo);
    const segment = this.#segmentOf(hash);
    const row = segment.find(hi, lo, hash);
    if (row === -1) this.#insert(hi, lo, hash, nowMs);
    else this.#turnTo(segment, row);
  }

  /** Turns to the row of a client; false, and nobody is added, if it has none. */
  peek(hi: number, lo: number): boolean {
    const hash = spread(hi, lo);
    const segment = this.#segmentOf(hash);
    const row = segment.find(hi, lo, hash);
    if (row !== -1) this.#turnTo(segment, row);
    return row !== -1;
  }

  /** Forgets a client. */
  delete(hi: number, lo: number): void {
    const hash = spread(hi, lo);
    const segment = this.#segmentOf(hash);
    const row = segment.find(hi, lo, hash);
    if (row !== -1) this.#drop(segment, row);
  }

  available(policy: number, nowMs: number): number {
    return this.policies[policy]!.algorithm.available(this.cells, this.at + this.#offsets[policy]!, nowMs);
  }

  charge(policy: number, nowMs: number, cost: number): void {
    this.policies[policy]!.algorithm.charge(this.cells, this.at + this.#offsets[policy]!, nowMs, cost);
  }

  refund(policy: number, nowMs: number, cost: number, chargedMs: number): void {
    const at = this.at + this.#offsets[policy]!;
    this.policies[policy]!.algorithm.refund(this.cells, at, nowMs, cost, chargedMs);
  }

  waitMs(policy: number, nowMs: number, cost: number): number {
    return this.policies[policy]!.algorithm.waitMs(this.cells, this.at + this.#offsets[policy]!, nowMs, cost);
  }

  resetMs(policy: number, nowMs: number): number {
    return this.policies[policy]!.algorithm.resetMs(this.cells, this.at + this.#offsets[policy]!, nowMs);
  }

  refused(policy: number, nowMs: number): void {
    this.policies[policy]!.algorithm.refused?.(this.cells, this.at + this.#offsets[policy]!, nowMs);
  }

  #segmentOf(hash: number): Segment {
    return this.#directory[this.#depth === 0 ? 0 : hash >>> (32 - this.#depth)]!;
  }

  #insert(hi: number, lo: number, hash: number, nowMs: number): void {
    let segment = this.#segmentOf(hash);
    this.#sweep(segment, nowMs);
    while (segment.rows === SEGMENT_ROWS && this.size < this.maxClients && segment.depth < MAX_DEPTH) {
      this.#split(segment, hash);
      segment = this.#segmentOf(hash);
    }
    if ((this.size >= this.maxClients || segment.rows === SEGMENT_ROWS) && !this.#evict(segment, nowMs)) {
      this.#turnTo(this.#shared, 0);
      return;
    }
    this.size++;
    this.#turnTo(segment, segment.add(hi, lo, hash));
  }

  #turnTo(segment: Segment, row: number): void {
    this.cells = segment.cellsOf(row);
    this.at = segment.offsetOf(row);
  }

  #sweep(segment: Segment, nowMs: number): void {
    for (let looked = 0; looked < SWEPT_PER_INSERT && segment.rows > 0; looked++) {
      if (segment.hand >= segment.rows) segment.hand = 0;
      if (this.#use(segment, segment.hand, nowMs) === 0) this.#drop(segment, segment.hand);
      else segment.hand++;
    }
  }

  /** Makes room for one row; false if every row that it looked at has used up a limit. */
  #evict(segment: Segment, nowMs: number): boolean {
    let leastUsed = -1;
    let least = 1;
    for (let looked = 0; looked < EVICTION_SAMPLE && looked < segment.rows; looked++) {
      const row = (segment.hand + looked) % segment.rows;
      const use = this.#use(segment, row, nowMs);
      if (use < least) [leastUsed, least] = [row, use];
    }
    segment.hand += EVICTION_SAMPLE;
    if (leastUsed === -1) return false;
    this.#drop(segment, leastUsed);
    return true;
  }

  /** How much of its tightest limit a row has used, 0 (nothing left in any window) to 1. */
  #use(segment: Segment, row: number, nowMs: number): number {
    const cells = segment.cellsOf(row);
    const begin = segment.offsetOf(row);
    let most = 0;
    for (let policy = 0; policy < this.policies.length; policy++) {
      const { limit, algorithm } = this.policies[policy]!;
      const at = begin + this.#offsets[policy]!;
      const available = algorithm.available(cells, at, nowMs);
      if (algorithm.resetMs(cells, at, nowMs) === 0) continue;
      const use = available <= 0 ? 1 : Math.max(Number.EPSILON, 1 - available / limit);
      if (use > most) most = use;
    }
    return most;
  }

  #drop(segment: Segment, row: number): void {
    segment.remove(row);
    this.size--;
  }

  #split(segment: Segment, hash: number): void {
    const depth = segment.depth + 1;
    if (depth > this.#depth) {
      this.#directory = this.#directory.flatMap(entry => [entry, entry]);
      this.#depth = depth;
    }
    const halves = [new Segment(depth, this.#stride), new Segment(depth, this.#stride)] as const;
    for (let row = 0; row < segment.rows; row++) {
      const rowHash = segment.hashOf(row);
      const { u32 } = segment.cellsOf(row);
      const at = segment.offsetOf(row);
      const half = halves[(rowHash >>> (32 - depth)) & 1]!;
      half.copy(half.add(u32[at]!, u32[at + 1]!, rowHash), segment, row);
    }
    const span = 2 ** (this.#depth - depth);
    const first = Math.floor((hash >>> (32 - this.#depth)) / (span * 2)) * span * 2;
    this.#directory.fill(halves[0], first, first + span);
    this.#directory.fill(halves[1], first + span, first + span * 2);
  }
}
