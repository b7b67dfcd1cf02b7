/* The interface of an algorithm, and the memory it works on: rows of a table (quota-table.ts), so that a million clients are a few arrays
 * and not a million objects. */

/** A part of a table's memory, as the number types that algorithms use. */
export interface Cells {
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  readonly f64: Float64Array;
}

/** The largest number of a `u32` cell. More would wrap around, and a debt would be lost. */
export const MAX_COUNT = 2 ** 32 - 1;

export interface Algorithm {
  /** 32-bit cells that one client takes. */
  readonly cells: number;
  /** Whether it uses 64-bit numbers, so that its cells must begin on 64 bits. */
  readonly aligned: boolean;
  /** Removes what has left the window, and returns the units that are left: below 0 for a debt. */
  available(cells: Cells, at: number, nowMs: number): number;
  /** Charges `cost`. More than `available()` is a debt, which leaves the window like everything else. */
  charge(cells: Cells, at: number, nowMs: number, cost: number): void;
  /** Gives back what was charged at `chargedMs`, as far as it still counts; never more than would be left without that charge. */
  refund(cells: Cells, at: number, nowMs: number, cost: number, chargedMs: number): void;
  /** Milliseconds until `cost` is granted, without other requests; `Infinity` if it never is. */
  waitMs(cells: Cells, at: number, nowMs: number, cost: number): number;
  /** Milliseconds until more units are available than now; 0 if all are. */
  resetMs(cells: Cells, at: number, nowMs: number): number;
  /** Called when this policy has denied a request. */
  denied?(cells: Cells, at: number, nowMs: number): void;
}
