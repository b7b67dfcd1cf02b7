/* Finds the row of a 64-bit key. Its entries, 32 bits each, are a row's number and as many bits of its key's hash as there is room for, so
 * that hardly any row is looked at that is not the one. They lie in segments, which the first bits of the hash choose: a segment that
 * is full splits in two, so that no request waits for more than that, and nothing large is ever allocated or freed. */
import type { QuotaRows } from './quota-rows.js';

const FIRST_SLOTS = 128;
/** To split as many takes one or two milliseconds where all their rows are out of the processor's caches. */
const SEGMENT_SLOTS = 2_048;
/** Entries in place of slots, at most. */
const MAX_LOAD = 0.8;

/** A number of slots, a power of two; each entry stands in the slot of its hash, or behind it as far as others stand there. */
class Segment {
  readonly entries: Uint32Array;
  count = 0;

  /** @param depth so many of their hashes' first bits all its entries have in common */
  constructor(
    slots: number,
    readonly depth: number,
  ) {
    this.entries = new Uint32Array(slots);
  }
}

/** Where a hash belongs among so many slots, 4,096 at most. Its first bits, which chose the segment, are alike there: all others count. */
const homeOf = (hash: number, slots: number): number => (Math.imul(hash, 0x9e3779b1) >>> 20) & (slots - 1);

export class KeyIndex {
  /** An entry is the number of a row + 1 in so many bits, and above them the last bits of its hash; 0 is free. */
  readonly #rowBits: number;
  readonly #rowMask: number;
  /** By the first bits of the hash, `#depth` of them: a segment that all have in common stands here several times. */
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
      // Larger than any row if the bits of the hash differ.
      const row = ((entry ^ print) >>> 0) - 1;
      if (row < this.#rowMask && this.rows.holds(row, hi, lo)) return row;
    }
  }

  /** Notes the row of a key that it does not hold; every row must hold its key. */
  add(hash: number, row: number): void {
    let segment = this.#segmentOf(hash);
    while (segment.count >= segment.entries.length * MAX_LOAD) {
      this.#split(segment, hash);
      segment = this.#segmentOf(hash);
    }
    this.#insert(segment, hash, row);
  }

  /** Notes that a key's row has another number. */
  renumber(hash: number, row: number, newRow: number): void {
    const { entries } = this.#segmentOf(hash);
    entries[this.#slotOf(entries, hash, row)] = this.#entryOf(hash, newRow);
  }

  /** Forgets the row of a key; every row must still hold its key. Closes the gap, so that no search stops short. */
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
    // In two steps, as no shift is by 32.
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

  /** Replaces a segment, one that a hash belongs to: by one of twice the size while it is small, then by two. */
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
