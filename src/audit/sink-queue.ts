/* The records that wait for one sink, bounded in number and in bytes, with a share for each kind: rejections, which any client can cause,
 * never use the room of served calls. */
import type { AuditLine } from './audit-sink.js';

/**
 * `reserved`: must not be lost, and has reserved room. `low`: a served call whose record may be dropped. `rejection`: a call that was not
 * served.
 */
export type WaitingKind = 'reserved' | 'low' | 'rejection';

export interface Waiting {
  readonly line: AuditLine;
  readonly kind: WaitingKind;
  readonly bytes: number;
  /** Called with whether the record was written. */
  onWritten: ((written: boolean) => void) | undefined;
}

/** Of the lines that wait for one sink. Calls under way hold their parameters beside it: as many as `maxQueued`, and no more. */
const MAX_BYTES = 67_108_864;
/** What records that may be lost can fill of the queue; the rest is for those that must not be lost. */
const LOW_SHARE = 3 / 4;
/** What records of rejections can fill; the rest is for served calls. */
const REJECTION_SHARE = 1 / 8;

export class SinkQueue {
  readonly #waiting: Waiting[] = [];
  readonly #rejections = { records: 0, bytes: 0 };
  #bytes = 0;
  #reserved = 0;

  constructor(
    private readonly maxRecords: number,
    private readonly maxBytes = MAX_BYTES,
  ) {}

  get length(): number {
    return this.#waiting.length;
  }

  /** Reserves room for records that must not be lost. @returns false if there is none */
  reserve(count: number): boolean {
    if (this.#waiting.length + this.#reserved + count > this.maxRecords || this.#bytes >= this.maxBytes)
      return false;
    this.#reserved += count;
    return true;
  }

  release(count: number): void {
    this.#reserved -= count;
  }

  /** Whether there is room for a rejection: check it before its record is made. */
  get takesRejections(): boolean {
    const { records, bytes } = this.#rejections;
    return (
      records < Math.floor(this.maxRecords * REJECTION_SHARE) &&
      bytes < this.maxBytes * REJECTION_SHARE &&
      this.#takesLow()
    );
  }

  /** Adds a record whose room is reserved. */
  pushReserved(line: AuditLine, onWritten: Waiting['onWritten']): void {
    this.#reserved--;
    this.#push({ line, kind: 'reserved', bytes: Buffer.byteLength(line.text), onWritten });
  }

  /** @returns false if the kind has no room left */
  offer(line: AuditLine, kind: 'low' | 'rejection'): boolean {
    if (kind === 'low' ? !this.#takesLow() : !this.takesRejections) return false;
    this.#push({ line, kind, bytes: Buffer.byteLength(line.text), onWritten: undefined });
    return true;
  }

  /** The oldest records, as many as fit: at least one, if there is one. */
  first(maxRecords: number, maxBytes: number): Waiting[] {
    let [count, bytes] = [0, 0];
    while (count < Math.min(maxRecords, this.#waiting.length)) {
      bytes += this.#waiting[count]!.bytes;
      if (count > 0 && bytes > maxBytes) break;
      count++;
    }
    return this.#waiting.slice(0, count);
  }

  /** Removes the oldest records, which have been written. */
  remove(count: number): void {
    for (const { kind, bytes } of this.#waiting.splice(0, count)) {
      this.#bytes -= bytes;
      if (kind !== 'rejection') continue;
      this.#rejections.records--;
      this.#rejections.bytes -= bytes;
    }
  }

  /** Calls back the callers that wait with `false`. The records stay. */
  rejectWaiting(): void {
    for (const waiting of this.#waiting) {
      waiting.onWritten?.(false);
      waiting.onWritten = undefined;
    }
  }

  #takesLow(): boolean {
    return (
      this.#waiting.length + this.#reserved < this.maxRecords * LOW_SHARE &&
      this.#bytes < this.maxBytes * LOW_SHARE
    );
  }

  #push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
    if (waiting.kind !== 'rejection') return;
    this.#rejections.records++;
    this.#rejections.bytes += waiting.bytes;
  }
}
