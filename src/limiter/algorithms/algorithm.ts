/* What an algorithm keeps for one client, and how it is asked. Its numbers live in the rows of a table (quota-table.ts), so
 * that a million clients are a few arrays and not a million objects. */

/** The memory of a table's part, seen as the number types that algorithms keep. */
export interface Cells {
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  readonly f64: Float64Array;
}

/** What a cell of `u32` can hold. More would wrap, and a debt would be gone. */
export const MAX_COUNT = 2 ** 32 - 1;

export interface Algorithm {
  /** 32-bit cells that one client takes. */
  readonly cells: number;
  /** Whether it keeps 64-bit numbers, so that its cells must begin on 64 bits. */
  readonly aligned: boolean;
  /** Forgets what has left the window, and returns what is still to be granted (it may be less than 0 after a changed limit). */
  available(cells: Cells, at: number, nowMs: number): number;
  /** Takes `cost`. What goes beyond the offer of `available` is a debt, which leaves like everything else. */
  charge(cells: Cells, at: number, nowMs: number, cost: number): void;
  /** Gives back what was charged at `chargedMs`, as far as it still counts; never more than would be there without that charge. */
  refund(cells: Cells, at: number, nowMs: number, cost: number, chargedMs: number): void;
  /** Milliseconds until `cost` would be granted if nobody else came; `Infinity` if it never would. */
  waitMs(cells: Cells, at: number, nowMs: number, cost: number): number;
  /** Milliseconds until more is available than now; 0 if everything is. */
  resetMs(cells: Cells, at: number, nowMs: number): number;
  /** Told that a request was refused for this policy's sake. */
  denied?(cells: Cells, at: number, nowMs: number): void;
}
