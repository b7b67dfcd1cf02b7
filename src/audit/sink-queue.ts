/* The records that wait for one sink, with a bound in records and in bytes, and a share of it for each kind: what a client can cause
 * without a call being served never takes the room of served calls. */
import type { AuditLine } from './audit-sink.js';

/** `kept`: must not be lost, and has its room reserved. `low`: served, and may be dropped. `rejection`: was not served. */
export type WaitingKind = 'kept' | 'low' | 'rejection';

export interface Waiting {
  readonly line: AuditLine;
  readonly kind: WaitingKind;
  readonly bytes: number;
  /** Told whether the record has been written, by whoever waits for it. */
  settle: ((written: boolean) => void) | undefined;
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

  /** Keeps room for records that must not be lost. @returns false if there is none */
  reserve(count: number): boolean {
    if (this.#waiting.length + this.#reserved + count > this.maxRecords || this.#bytes >= this.maxBytes)
      return false;
    this.#reserved += count;
    return true;
  }

  release(count: number): void {
    this.#reserved -= count;
  }

  /** Whether a rejection may find room: asked before its record is made. */
  get takesRejections(): boolean {
    const { records, bytes } = this.#rejections;
    return (
      records < Math.floor(this.maxRecords * REJECTION_SHARE) &&
      bytes < this.maxBytes * REJECTION_SHARE &&
      this.#takesLow()
    );
  }

  /** A record into the room that was reserved for it. */
  keep(line: AuditLine, settle: Waiting['settle']): void {
    this.#reserved--;
    this.#push({ line, kind: 'kept', bytes: Buffer.byteLength(line.text), settle });
  }

  /** @returns false if the kind has no room left */
  offer(line: AuditLine, kind: 'low' | 'rejection'): boolean {
    if (kind === 'low' ? !this.#takesLow() : !this.takesRejections) return false;
    this.#push({ line, kind, bytes: Buffer.byteLength(line.text), settle: undefined });
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

  /** Tells everybody who waits that the record has not been written. The records stay. */
  rejectWaiting(): void {
    for (const waiting of this.#waiting) {
      waiting.settle?.(false);
      waiting.settle = undefined;
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
