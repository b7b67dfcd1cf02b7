/* Finds the row of a 64-bit key. Open addressing over 32-bit entries, each of which is a row's number and as many bits of its key's
 * hash as there is room for, so that hardly any row is looked at that is not the one. When it is full, an index of twice the size takes
 * its place little by little: each new key moves some entries, and no request waits for all of them. */
import type { QuotaRows } from './quota-rows.js';

const FIRST_BITS = 7;
/** Entries in place of slots, at most. */
const MAX_LOAD = 0.8;
/** Slots that each new key moves, at least: the old index is gone before the new one is half as full again. */
const MOVED_PER_ADD = 64;

/** A number of slots, a power of two; each entry stands in the slot of its hash's first bits, or behind it as far as others stand there. */
class Slots {
  readonly entries: Uint32Array;
  readonly mask: number;
  readonly shift: number;

  constructor(bits: number) {
    this.entries = new Uint32Array(2 ** bits);
    this.mask = 2 ** bits - 1;
    this.shift = 32 - bits;
  }
}

export class KeyIndex {
  /** An entry is the number of a row + 1 in so many bits, and above them the last bits of its hash; 0 is free. */
  readonly #rowBits: number;
  readonly #rowMask: number;
  #slots = new Slots(FIRST_BITS);
  /** The smaller index whose entries are on their way; it only loses entries. */
  #old: Slots | undefined;
  #moved = 0;
  #start = 0;

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
    const row = this.#old === undefined ? -1 : this.#search(this.#old, hi, lo, hash);
    return row === -1 ? this.#search(this.#slots, hi, lo, hash) : row;
  }

  /** Notes the row of a key that it does not hold. */
  add(hash: number, row: number): void {
    if (this.rows.count > this.#slots.entries.length * MAX_LOAD) this.#grow();
    if (this.#old !== undefined) this.#move(this.#old);
    this.#insert(this.#slots, hash, row);
  }

  /** Notes that a key's row has another number. */
  renumber(hash: number, row: number, newRow: number): void {
    const slots = this.#holderOf(hash, row);
    slots.entries[this.#slotOf(slots, hash, row)] = this.#entryOf(hash, newRow);
  }

  /** Forgets the row of a key; every row must still hold its key. */
  remove(hash: number, row: number): void {
    const slots = this.#holderOf(hash, row);
    this.#free(slots, this.#slotOf(slots, hash, row));
  }

  #entryOf(hash: number, row: number): number {
    return ((hash << this.#rowBits) | (row + 1)) >>> 0;
  }

  #search({ entries, mask, shift }: Slots, hi: number, lo: number, hash: number): number {
    const print = hash << this.#rowBits;
    for (let slot = hash >>> shift; ; slot = (slot + 1) & mask) {
      const entry = entries[slot]!;
      if (entry === 0) return -1;
      // Larger than any row if the bits of the hash differ.
      const row = ((entry ^ print) >>> 0) - 1;
      if (row < this.#rowMask && this.rows.holds(row, hi, lo)) return row;
    }
  }

  #insert({ entries, mask, shift }: Slots, hash: number, row: number): void {
    let slot = hash >>> shift;
    while (entries[slot] !== 0) slot = (slot + 1) & mask;
    entries[slot] = this.#entryOf(hash, row);
  }

  #holderOf(hash: number, row: number): Slots {
    return this.#old !== undefined && this.#slotOf(this.#old, hash, row) !== -1 ? this.#old : this.#slots;
  }

  /** The slot of a row, or -1. */
  #slotOf({ entries, mask, shift }: Slots, hash: number, row: number): number {
    const wanted = this.#entryOf(hash, row);
    for (let slot = hash >>> shift; ; slot = (slot + 1) & mask) {
      if (entries[slot] === wanted) return slot;
      if (entries[slot] === 0) return -1;
    }
  }

  /** Frees a slot and closes the gap, so that no search stops short. */
  #free({ entries, mask, shift }: Slots, gap: number): void {
    for (let slot = (gap + 1) & mask; entries[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#hashOf(entries[slot]!) >>> shift;
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        entries[gap] = entries[slot]!;
        gap = slot;
      }
    }
    entries[gap] = 0;
  }

  #hashOf(entry: number): number {
    return this.rows.hashOf((entry & this.#rowMask) - 1);
  }

  #grow(): void {
    this.#old = this.#slots;
    this.#slots = new Slots(32 - this.#old.shift + 1);
    this.#moved = 0;
    // Entries that belong together lie between two free slots, round the end as well.
    this.#start = this.#old.entries.indexOf(0);
  }

  /** Moves some entries, and all that lie together with them. */
  #move(old: Slots): void {
    for (let moved = 0; this.#moved <= old.mask; moved++) {
      const slot = (this.#start + this.#moved) & old.mask;
      const entry = old.entries[slot]!;
      if (entry === 0 && moved >= MOVED_PER_ADD) return;
      this.#moved++;
      if (entry === 0) continue;
      old.entries[slot] = 0;
      this.#insert(this.#slots, this.#hashOf(entry), (entry & this.#rowMask) - 1);
    }
    this.#old = undefined;
  }
}
