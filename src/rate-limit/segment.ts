/* Some rows of a quota table, and the index that finds them by their 64-bit keys. */
import { randomBytes } from 'node:crypto';
import type { Cells } from './algorithm.js';

export const SEGMENT_ROWS = 2048;
const INDEX_SIZE = SEGMENT_ROWS * 2;
const GROWTH_ROWS = 128;

const seed = randomBytes(4).readInt32LE(0);

/** Spreads a key over 32 bits, by a secret of the process: keys that collide in one process do not in another. */
export function spread(hi: number, lo: number): number {
  let hash = Math.imul(hi ^ seed, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ lo, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ seed, 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export class Segment implements Cells {
  rows = 0;
  /** The row that the sweep looks at next. */
  hand = 0;
  u32: Uint32Array;
  u16: Uint16Array;
  f64: Float64Array;
  /** Row number + 1 by hash, open addressing; 0 is free. */
  readonly index = new Uint16Array(INDEX_SIZE);

  constructor(
    readonly depth: number,
    private readonly stride: number,
    rows: number,
  ) {
    this.u32 = new Uint32Array(rows * stride);
    this.u16 = new Uint16Array(this.u32.buffer);
    this.f64 = new Float64Array(this.u32.buffer);
  }

  find(hi: number, lo: number, hash: number): number {
    const { u32, index, stride } = this;
    for (let slot = hash & (INDEX_SIZE - 1); ; slot = (slot + 1) & (INDEX_SIZE - 1)) {
      const row = index[slot]!;
      if (row === 0) return -1;
      const at = (row - 1) * stride;
      if (u32[at] === hi && u32[at + 1] === lo) return at;
    }
  }

  add(hi: number, lo: number, hash: number): number {
    const at = this.rows * this.stride;
    if (at === this.u32.length) this.#grow();
    this.rows++;
    this.u32[at] = hi;
    this.u32[at + 1] = lo;
    let slot = hash & (INDEX_SIZE - 1);
    while (this.index[slot] !== 0) slot = (slot + 1) & (INDEX_SIZE - 1);
    this.index[slot] = this.rows;
    return at;
  }

  /** Removes a row; the last one takes its place. */
  remove(row: number): void {
    const { u32, stride } = this;
    const at = row * stride;
    const last = this.rows - 1;
    this.#unlink(this.#slotOf(row));
    if (row !== last) {
      const lastSlot = this.#slotOf(last);
      u32.copyWithin(at, last * stride, (last + 1) * stride);
      this.index[lastSlot] = row + 1;
    }
    u32.fill(0, last * stride, (last + 1) * stride);
    this.rows = last;
    if (this.hand >= last) this.hand = 0;
  }

  #slotOf(row: number): number {
    const at = row * this.stride;
    let slot = spread(this.u32[at]!, this.u32[at + 1]!) & (INDEX_SIZE - 1);
    while (this.index[slot] !== row + 1) slot = (slot + 1) & (INDEX_SIZE - 1);
    return slot;
  }

  /** Frees a slot of the index and closes the gap, so that no search stops short. */
  #unlink(gap: number): void {
    const { index, stride, u32 } = this;
    const mask = INDEX_SIZE - 1;
    for (let slot = (gap + 1) & mask; index[slot] !== 0; slot = (slot + 1) & mask) {
      const at = (index[slot]! - 1) * stride;
      const home = spread(u32[at]!, u32[at + 1]!) & mask;
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        index[gap] = index[slot]!;
        gap = slot;
      }
    }
    index[gap] = 0;
  }

  #grow(): void {
    const rows = Math.min(
      SEGMENT_ROWS,
      this.rows + Math.max(GROWTH_ROWS >> 2, Math.min(this.rows, GROWTH_ROWS)),
    );
    const { u32 } = this;
    this.u32 = new Uint32Array(rows * this.stride);
    this.u32.set(u32);
    this.u16 = new Uint16Array(this.u32.buffer);
    this.f64 = new Float64Array(this.u32.buffer);
  }
}
