/* The last rejections. Each code has a list of its own, so that a flood of one kind does not displace the others. */
import type { SecurityEvent } from '../events/security-events.js';

/** A rejection, with texts of a bounded length. */
export interface RejectionRow {
  readonly timeMs: number;
  readonly status: number;
  readonly code: string;
  readonly reason?: string | undefined;
  readonly received?: string | undefined;
  readonly remedy?: string | undefined;
  readonly requestId?: string | undefined;
  readonly agent?: string | undefined;
  readonly address?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
}

/** Of 2 kB at most. */
const MAX_OF_CODE = 100;
const MAX_CODES = 24;
const MAX_TEXT = 200;

export class RecentRejections {
  readonly #byCode = new Map<string, RejectionRow[]>();
  /** Where the next row of a code belongs, once its list is full. */
  readonly #next = new Map<string, number>();

  add(event: SecurityEvent<'request.rejected'>): void {
    const { code } = event;
    const name = this.#byCode.has(code) || this.#byCode.size < MAX_CODES ? code : '';
    let rows = this.#byCode.get(name);
    if (rows === undefined) this.#byCode.set(name, (rows = []));
    const at = this.#next.get(name) ?? 0;
    rows[at] = toRow(event);
    this.#next.set(name, (at + 1) % MAX_OF_CODE);
  }

  /** The newest first. */
  list(
    limit: number,
    epochMs: number,
    matches: (row: RejectionRow) => boolean = () => true,
  ): readonly RejectionRow[] {
    return newest([...this.#byCode.values()].flat().filter(matches), limit, epochMs);
  }
}

/** By how much the system times of processes may differ. */
const MAX_SKEW_MS = 60_000;

/**
 * Rows of the future come last: the system time was wrong, and they would hide every later row.
 * @param rows of one moment, the later behind the earlier
 */
export function newest<T extends { readonly timeMs: number }>(
  rows: readonly T[],
  limit: number,
  epochMs: number,
): readonly T[] {
  const timeOf = ({ timeMs }: T): number => (timeMs > epochMs + MAX_SKEW_MS ? -Infinity : timeMs);
  return rows
    .toReversed()
    .toSorted((a, b) => timeOf(b) - timeOf(a) || 0)
    .slice(0, limit);
}

export const shorten = (text: string | undefined): string | undefined =>
  text === undefined || text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;

function toRow(event: SecurityEvent<'request.rejected'>): RejectionRow {
  return {
    timeMs: event.timeMs,
    status: event.status,
    code: shorten(event.code)!,
    reason: shorten(event.reason),
    received: shorten(event.received),
    remedy: shorten(event.remedy),
    requestId: shorten(event.requestId),
    agent: shorten(event.agent),
    address: event.address,
    method: shorten(event.method),
    path: shorten(event.path),
  };
}
