/* What waits for one sink: records, bounded in number and in bytes, and counts of the rejections that get no record of their own. Each kind
 * of record has its share: rejections, which any client can cause, never use the room of served calls. */
import type { CallEnd } from '../common/response-end.js';
import { joinKey } from '../common/join-key.js';
import type { AuditLine, AuditRecord } from './audit-record.js';

export interface Waiting {
  readonly line: AuditLine;
  /** `reserved`: must not be lost, and has reserved room. `low`: a served call, may be dropped. `rejection`: a call that was not served. */
  readonly kind: 'reserved' | 'low' | 'rejection';
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
    this.#push(line, 'reserved', onWritten);
  }

  /** @returns false if the kind has no room left */
  offer(line: AuditLine, kind: 'low' | 'rejection'): boolean {
    if (kind === 'low' ? !this.#takesLow() : !this.takesRejections) return false;
    this.#push(line, kind);
    return true;
  }

  #push(line: AuditLine, kind: Waiting['kind'], onWritten?: Waiting['onWritten']): void {
    const bytes = Buffer.byteLength(line.text);
    this.#waiting.push({ line, kind, bytes, onWritten });
    this.#add(kind, 1, bytes);
  }

  #add(kind: Waiting['kind'], records: number, bytes: number): void {
    this.#bytes += bytes;
    if (kind !== 'rejection') return;
    this.#rejections.records += records;
    this.#rejections.bytes += bytes;
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
    for (const { kind, bytes } of this.#waiting.splice(0, count)) this.#add(kind, -1, -bytes);
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
}

/** Codes of the module are about forty. An app may answer with codes of its own, and a client may be able to choose among them. */
const MAX_KINDS = 64;
const MAX_CODE_LENGTH = 64;

/**
 * Counts rejections instead of recording each. Use it for rejections of unidentified clients: the number of counts is bounded, the number
 * of requests is not.
 */
export class RejectionCounts {
  /** The records of the counts, by outcome, status and code. */
  readonly #counts = new Map<string, Omit<AuditRecord, 'time'> & { count: number }>();

  constructor(private readonly nowMs: () => number) {}

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  add({ outcome, status, code: fullCode }: CallEnd): void {
    const code = fullCode?.slice(0, MAX_CODE_LENGTH);
    const key = joinKey(outcome, status ?? 0, code ?? '');
    if (this.#counts.has(key) || this.#counts.size < MAX_KINDS) this.#count(key, { outcome, status, code });
    else this.#count(joinKey('rejected', 0, 'other'), { outcome: 'rejected', code: 'other' });
  }

  #count(key: string, end: CallEnd): void {
    const known = this.#counts.get(key);
    if (known !== undefined) known.count++;
    else {
      const since = new Date(this.nowMs()).toISOString();
      this.#counts.set(key, { event: 'rejections', ...end, count: 1, since });
    }
  }

  /** Takes the record of one count out; `undefined` when nothing is left. */
  take(): Omit<AuditRecord, 'time'> | undefined {
    for (const [key, record] of this.#counts) {
      this.#counts.delete(key);
      return record;
    }
    return undefined;
  }
}
