/* The rows of a quota table: 32-bit cells in typed arrays, without gaps. The memory grows and shrinks by chunks; only the first chunk is
 * copied to a larger one while it is small. */
import type { Cells } from '../algorithms/algorithm.js';
import { spreadKey } from './key-index.js';

/** The first cells of a row hold its key. */
export const KEY_CELLS = 2;

/** Large, so that the list of chunks stays in the processor's caches; small compared with the tables that need several. */
const CHUNK_BITS = 13;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_ROWS - 1;
/** A table with few clients, such as that of a rarely called route, stays this small. */
const FIRST_ROWS = 64;

export class Chunk implements Cells {
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  readonly f64: Float64Array;

  constructor(cells: number) {
    this.u32 = new Uint32Array(cells);
    this.u16 = new Uint16Array(this.u32.buffer);
    this.f64 = new Float64Array(this.u32.buffer);
  }
}

export class QuotaRows {
  count = 0;
  readonly #chunks: Chunk[];
  #capacity = FIRST_ROWS;

  /** @param stride cells a row, an even number: rows begin on 64 bits, so that aligned cells are aligned in every row */
  constructor(private readonly stride: number) {
    this.#chunks = [new Chunk(FIRST_ROWS * stride)];
  }

  /** The memory of a row. */
  cellsOf(row: number): Cells {
    return this.#chunks[row >> CHUNK_BITS]!;
  }

  /** The first cell of a row in that memory. */
  offsetOf(row: number): number {
    return (row & CHUNK_MASK) * this.stride;
  }

  /** Whether a row holds a key. */
  holds(row: number, hi: number, lo: number): boolean {
    const { u32 } = this.#chunks[row >> CHUNK_BITS]!;
    const at = (row & CHUNK_MASK) * this.stride;
    return u32[at] === hi >>> 0 && u32[at + 1] === lo >>> 0;
  }

  /** The hash of a row's key. */
  hashOf(row: number): number {
    const { u32 } = this.#chunks[row >> CHUNK_BITS]!;
    const at = (row & CHUNK_MASK) * this.stride;
    return spreadKey(u32[at]!, u32[at + 1]!);
  }

  /** Adds a row for a key; its other cells are 0. */
  add(hi: number, lo: number): number {
    const row = this.count;
    if (row === this.#capacity) this.#grow();
    this.count = row + 1;
    const { u32 } = this.cellsOf(row);
    const at = this.offsetOf(row);
    u32[at] = hi;
    u32[at + 1] = lo;
    return row;
  }

  /** Removes a row: the last row takes its place. */
  replaceByLast(row: number): void {
    const last = this.count - 1;
    const from = this.cellsOf(last).u32;
    const fromAt = this.offsetOf(last);
    if (row !== last) {
      const to = this.cellsOf(row).u32;
      const toAt = this.offsetOf(row);
      for (let cell = 0; cell < this.stride; cell++) to[toAt + cell] = from[fromAt + cell]!;
    }
    from.fill(0, fromAt, fromAt + this.stride);
    this.count = last;
    // Half a chunk of slack: a table of about the size of a chunk must not allocate one for every other client.
    if (this.#chunks.length > 1 && last < this.#capacity - CHUNK_ROWS - CHUNK_ROWS / 2) {
      this.#chunks.pop();
      this.#capacity -= CHUNK_ROWS;
    }
  }

  #grow(): void {
    if (this.#capacity >= CHUNK_ROWS) {
      this.#chunks.push(new Chunk(CHUNK_ROWS * this.stride));
      this.#capacity += CHUNK_ROWS;
      return;
    }
    this.#capacity *= 2;
    const larger = new Chunk(this.#capacity * this.stride);
    larger.u32.set(this.#chunks[0]!.u32);
    this.#chunks[0] = larger;
  }
}
