/* Finds the row of a 64-bit key. An entry has 32 bits: the number of a row, and as many bits of its key's hash as fit, so that hardly ever
 * a wrong row is read. Entries lie in segments, which the first bits of the hash choose. A full segment splits in two, so that
 * no request waits for more than one split, and nothing large is ever allocated or freed. */
import type { QuotaRows } from './quota-rows.js';
import { randomBytes } from 'node:crypto';

const FIRST_SLOTS = 128;
/** The slots of a full segment. A split takes one or two milliseconds if none of its rows is in a cache of the processor. */
const SEGMENT_SLOTS = 2_048;
/** The largest share of slots with an entry. */
const MAX_LOAD = 0.8;

/** A number of slots, a power of two; each entry is in the slot of its hash, or in the next free one. */
class Segment {
  readonly entries: Uint32Array;
  count = 0;

  /** @param depth how many first bits of the hash all entries have in common */
  constructor(
    slots: number,
    readonly depth: number,
  ) {
    this.entries = new Uint32Array(slots);
  }
}

/** The slot of a hash among at most 4,096. The first bits, which chose the segment, are the same there: all others count. */
const homeOf = (hash: number, slots: number): number => (Math.imul(hash, 0x9e3779b1) >>> 20) & (slots - 1);

export class KeyIndex {
  /** The bits of an entry that hold the number of a row + 1. Above them are the last bits of its hash. 0 is a free slot. */
  readonly #rowBits: number;
  readonly #rowMask: number;
  /** By the first `#depth` bits of the hash: a segment of fewer bits is listed several times. */
  #directory = [new Segment(FIRST_SLOTS, 0)];
  #depth = 0;

  /** @param maxRows at most 2^30 */
  constructor(
    private readonly rows: QuotaRows,
    maxRows: number,
  ) {
    this.#rowBits = 32 - Math.clz32(maxRows);
    this.#rowMask = 2 ** this.#rowBits - 1;
  }

  /** The row of a key, or -1. */
  find(hi: number, lo: number, hash: number): number {
    const { entries } = this.#segmentOf(hash);
    const slots = entries.length;
    const print = hash << this.#rowBits;
    for (let slot = homeOf(hash, slots); ; slot = (slot + 1) & (slots - 1)) {
      const entry = entries[slot]!;
      if (entry === 0) return -1;
      // Larger than every row number if the bits of the hash differ.
      const row = ((entry ^ print) >>> 0) - 1;
      if (row < this.#rowMask && this.rows.holds(row, hi, lo)) return row;
    }
  }

  /** Adds the row of a new key; every row must hold its key. */
  add(hash: number, row: number): void {
    let segment = this.#segmentOf(hash);
    while (segment.count >= segment.entries.length * MAX_LOAD) {
      this.#split(segment, hash);
      segment = this.#segmentOf(hash);
    }
    this.#insert(segment, hash, row);
  }

  /** Changes the number of a key's row. */
  renumber(hash: number, row: number, newRow: number): void {
    const { entries } = this.#segmentOf(hash);
    entries[this.#slotOf(entries, hash, row)] = this.#entryOf(hash, newRow);
  }

  /** Removes the row of a key; every row must still hold its key. Closes the gap, so that no search ends early. */
  remove(hash: number, row: number): void {
    const segment = this.#segmentOf(hash);
    const { entries } = segment;
    const mask = entries.length - 1;
    let gap = this.#slotOf(entries, hash, row);
    for (let slot = (gap + 1) & mask; entries[slot] !== 0; slot = (slot + 1) & mask) {
      const home = homeOf(this.#hashOf(entries[slot]!), entries.length);
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        entries[gap] = entries[slot]!;
        gap = slot;
      }
    }
    entries[gap] = 0;
    segment.count--;
  }

  #segmentOf(hash: number): Segment {
    return this.#directory[this.#placeOf(hash)]!;
  }

  #placeOf(hash: number): number {
    // In two steps, as a shift by 32 does nothing.
    return (hash >>> 1) >>> (31 - this.#depth);
  }

  #entryOf(hash: number, row: number): number {
    return ((hash << this.#rowBits) | (row + 1)) >>> 0;
  }

  #hashOf(entry: number): number {
    return this.rows.hashOf((entry & this.#rowMask) - 1);
  }

  #slotOf(entries: Uint32Array, hash: number, row: number): number {
    const wanted = this.#entryOf(hash, row);
    let slot = homeOf(hash, entries.length);
    while (entries[slot] !== wanted) slot = (slot + 1) & (entries.length - 1);
    return slot;
  }

  #insert(segment: Segment, hash: number, row: number): void {
    const { entries } = segment;
    let slot = homeOf(hash, entries.length);
    while (entries[slot] !== 0) slot = (slot + 1) & (entries.length - 1);
    entries[slot] = this.#entryOf(hash, row);
    segment.count++;
  }

  /** Replaces the segment of a hash: by one of twice the size while it is small, then by two. */
  #split({ entries, depth }: Segment, hash: number): void {
    const isSmall = entries.length < SEGMENT_SLOTS;
    if (!isSmall && depth === this.#depth) {
      this.#directory = this.#directory.flatMap(segment => [segment, segment]);
      this.#depth++;
    }
    const left = isSmall ? new Segment(entries.length * 2, depth) : new Segment(SEGMENT_SLOTS, depth + 1);
    const right = isSmall ? left : new Segment(SEGMENT_SLOTS, depth + 1);
    for (const entry of entries) {
      if (entry === 0) continue;
      const its = this.#hashOf(entry);
      const isLeft = ((its << depth) & 0x8000_0000) === 0;
      this.#insert(isLeft ? left : right, its, (entry & this.#rowMask) - 1);
    }
    const places = 2 ** (this.#depth - depth);
    const place = this.#placeOf(hash);
    const first = place - (place % places);
    const middle = first + Math.floor(places / 2);
    this.#directory.fill(left, first, middle);
    this.#directory.fill(right, middle, first + places);
  }
}

const seed = randomBytes(4).readInt32LE(0);

/** Hashes a key to 32 bits with a secret of the process, so that clients cannot choose keys that collide. */
export function spreadKey(hi: number, lo: number): number {
  let hash = Math.imul(hi ^ seed, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ lo, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ seed, 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}
