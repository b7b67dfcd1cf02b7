/* Requests and rejections of the last hour, by minute. */
import { BoundedCounts, type Counts, sumCounts } from './bounded-counts.js';

export interface MinuteFigures {
  /** Its start, in milliseconds since the epoch. */
  readonly startMs: number;
  /** Requests and handshakes, the rejected ones included. */
  readonly requests: number;
  readonly rejections: number;
  /** Rejections by the code of their problem. */
  readonly codes: Counts;
  /** Denials by the name of the limit. */
  readonly policies: Counts;
}

export const MINUTE_MS = 60_000;
export const MINUTES = 60;
/** The module has about forty codes, and a flood has few of them at a time. */
export const MAX_NAMES = 24;

class Minute {
  requests = 0;
  rejections = 0;
  readonly codes = new BoundedCounts(MAX_NAMES);
  readonly policies = new BoundedCounts(MAX_NAMES);

  constructor(readonly startMs: number) {}
}

export class MinuteCounts {
  /** Oldest first. */
  readonly #minutes: Minute[] = [];

  /** The minute of a moment; the last one for a moment shortly before it. Minutes far ahead are of a system time that was wrong. */
  at(epochMs: number): Minute {
    dropAhead(this.#minutes, MINUTE_MS, epochMs);
    const last = this.#minutes.at(-1);
    if (last !== undefined && epochMs < last.startMs + MINUTE_MS) return last;
    const minute = new Minute(epochMs - (epochMs % MINUTE_MS));
    this.#minutes.push(minute);
    if (this.#minutes.length > MINUTES) this.#minutes.shift();
    return minute;
  }

  list(epochMs: number): readonly MinuteFigures[] {
    return this.#minutes
      .filter(minute => isOfHour(minute, epochMs))
      .map(({ startMs, requests, rejections, codes, policies }) => ({
        startMs,
        requests,
        rejections,
        codes: codes.list(),
        policies: policies.list(),
      }));
  }
}

interface Period {
  readonly startMs: number;
}

/** Whether a period begins so far ahead that the system time was wrong when it began. */
export const isAhead = ({ startMs }: Period, lengthMs: number, epochMs: number): boolean =>
  startMs > epochMs + lengthMs;

/** Removes the last periods while they are far ahead. */
export function dropAhead(periods: Period[], lengthMs: number, epochMs: number): void {
  while (periods.length > 0 && isAhead(periods.at(-1)!, lengthMs, epochMs)) periods.pop();
}

const isOfHour = (minute: Period, epochMs: number): boolean =>
  minute.startMs > epochMs - MINUTES * MINUTE_MS && !isAhead(minute, MINUTE_MS, epochMs);

/** The minutes of several processes. */
export function mergeMinutes(
  lists: readonly (readonly MinuteFigures[])[],
  epochMs: number,
): readonly MinuteFigures[] {
  const byStart = new Map<number, MinuteFigures[]>();
  for (const minute of lists.flat().filter(each => isOfHour(each, epochMs))) {
    const same = byStart.get(minute.startMs);
    if (same === undefined) byStart.set(minute.startMs, [minute]);
    else same.push(minute);
  }
  return [...byStart]
    .toSorted(([a], [b]) => a - b)
    .map(([startMs, minutes]) => ({
      startMs,
      requests: sum(minutes.map(({ requests }) => requests)),
      rejections: sum(minutes.map(({ rejections }) => rejections)),
      codes: sumCounts(
        minutes.map(({ codes }) => codes),
        MAX_NAMES,
      ),
      policies: sumCounts(
        minutes.map(({ policies }) => policies),
        MAX_NAMES,
      ),
    }));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
