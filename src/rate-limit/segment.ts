/* Some rows of a quota table, and the index that finds them by their 64-bit keys. */
import { randomBytes } from 'node:crypto';
import type { Cells } from './algorithm.js';

export const SEGMENT_ROWS = 2048;
/** The first cells of a row hold its key. */
export const KEY_CELLS = 2;

const INDEX_SIZE = SEGMENT_ROWS * 2;
const INDEX_MASK = INDEX_SIZE - 1;

/** Memory grows by so many rows, and nothing is copied. */
const CHUNK_BITS = 7;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_ROWS - 1;

const seed = randomBytes(4).readInt32LE(0);

/** Spreads a key over 32 bits, by a secret of the process: keys that collide in one process do not in another. */
export function spread(hi: number, lo: number): number {
  let hash = Math.imul(hi ^ seed, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ lo, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ seed, 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}

class Chunk implements Cells {
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  readonly f64: Float64Array;

  constructor(cells: number) {
    this.u32 = new Uint32Array(cells);
    this.u16 = new Uint16Array(this.u32.buffer);
    this.f64 = new Float64Array(this.u32.buffer);
  }
}

export class Segment {
  rows = 0;
  /** The row that the sweep looks at next. */
  hand = 0;
  readonly #chunks: Chunk[] = [];
  /** Row numbers + 1 by hash, open addressing; 0 is free. */
  readonly #index = new Uint16Array(INDEX_SIZE);

  constructor(
    readonly depth: number,
    private readonly stride: number,
  ) {}

  /** The memory that a row is in. */
  cellsOf(row: number): Cells {
    return this.#chunks[row >> CHUNK_BITS]!;
  }

  /** Where in that memory it begins. */
  offsetOf(row: number): number {
    return (row & CHUNK_MASK) * this.stride;
  }

  /** The row of a key, or -1. */
  find(hi: number, lo: number, hash: number): number {
    const index = this.#index;
    for (let slot = hash & INDEX_MASK; ; slot = (slot + 1) & INDEX_MASK) {
      const row = index[slot]! - 1;
      if (row === -1) return -1;
      const { u32 } = this.#chunks[row >> CHUNK_BITS]!;
      const at = (row & CHUNK_MASK) * this.stride;
      if (u32[at] === hi && u32[at + 1] === lo) return row;
    }
  }

  /** A row for a new key, its cells all 0. */
  add(hi: number, lo: number, hash: number): number {
    const row = this.rows++;
    if (row >> CHUNK_BITS === this.#chunks.length) this.#chunks.push(new Chunk(CHUNK_ROWS * this.stride));
    const { u32 } = this.cellsOf(row);
    const at = this.offsetOf(row);
    u32[at] = hi;
    u32[at + 1] = lo;
    let slot = hash & INDEX_MASK;
    while (this.#index[slot] !== 0) slot = (slot + 1) & INDEX_MASK;
    this.#index[slot] = row + 1;
    return row;
  }

  /** Copies what a row of another segment counts. */
  copy(row: number, source: Segment, sourceRow: number): void {
    const to = this.cellsOf(row).u32;
    const from = source.cellsOf(sourceRow).u32;
    const toAt = this.offsetOf(row);
    const fromAt = source.offsetOf(sourceRow);
    for (let cell = KEY_CELLS; cell < this.stride; cell++) to[toAt + cell] = from[fromAt + cell]!;
  }

  /** The hash of a row's key. */
  hashOf(row: number): number {
    const { u32 } = this.cellsOf(row);
    const at = this.offsetOf(row);
    return spread(u32[at]!, u32[at + 1]!);
  }

  /** Removes a row; the last one takes its place. */
  remove(row: number): void {
    const last = this.rows - 1;
    this.#unlink(this.#slotOf(row));
    if (row !== last) {
      const lastSlot = this.#slotOf(last);
      this.#index[lastSlot] = row + 1;
      const { u32 } = this.cellsOf(row);
      const from = this.cellsOf(last).u32;
      u32[this.offsetOf(row)] = from[this.offsetOf(last)]!;
      u32[this.offsetOf(row) + 1] = from[this.offsetOf(last) + 1]!;
      this.copy(row, this, last);
    }
    const lastAt = this.offsetOf(last);
    this.cellsOf(last).u32.fill(0, lastAt, lastAt + this.stride);
    this.rows = last;
    if (this.hand >= last) this.hand = 0;
  }

  #slotOf(row: number): number {
    let slot = this.hashOf(row) & INDEX_MASK;
    while (this.#index[slot] !== row + 1) slot = (slot + 1) & INDEX_MASK;
    return slot;
  }

  /** Frees a slot of the index and closes the gap, so that no search stops short. */
  #unlink(gap: number): void {
    const index = this.#index;
    for (let slot = (gap + 1) & INDEX_MASK; index[slot] !== 0; slot = (slot + 1) & INDEX_MASK) {
      const home = this.hashOf(index[slot]! - 1) & INDEX_MASK;
      if (((slot - home) & INDEX_MASK) >= ((slot - gap) & INDEX_MASK)) {
        index[gap] = index[slot]!;
        gap = slot;
      }
    }
    index[gap] = 0;
  }
}
