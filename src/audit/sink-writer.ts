/* Writes records to one sink: in order, one write at a time, from a bounded queue. A write that fails is tried again until it succeeds;
 * calls that wait for their record fail at once. */
import type { CallEnd } from '../common/response-end.js';
import { within } from '../common/deadlines.js';
import type { AuditRecord } from './audit-record.js';
import type { AuditLine, AuditSink } from './audit-sink.js';
import { RejectionCounts } from './rejection-counts.js';
import { SinkQueue, type Waiting } from './sink-queue.js';
import { messageOf, TimedSink } from './timed-sink.js';

export interface SinkHealth {
  readonly sink: string;
  readonly state: 'failing' | 'healed';
  readonly reason?: string | undefined;
  /** Since it began to fail. */
  readonly dropped: number;
}

export interface SinkWriterParts {
  readonly sink: AuditSink;
  /** Records. */
  readonly maxQueued: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Serializes a record that the writer itself makes. */
  readonly toLine: (parts: Omit<AuditRecord, 'time'>) => AuditLine;
  readonly onHealth: (health: SinkHealth) => void;
}

/** Lines of one write. Later ones wait for the next. */
const MAX_BATCH = 500;
/** Of one write: after a crash, the start-up reads what is left of it into memory. */
const MAX_BATCH_BYTES = 8_388_608;
/** The time to write what waits at shutdown. */
const LAST_FLUSH_MS = 10_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** How often counts become records. */
const COUNTED_EVERY_MS = 60_000;

/** The lines of one write, which is repeated until it succeeds. */
interface Batch {
  readonly waiting: readonly Waiting[];
  readonly lines: readonly AuditLine[];
  /** How many dropped records its last line counts. */
  readonly dropped: number;
}

export class SinkWriter {
  readonly #sink: TimedSink;
  readonly #queue: SinkQueue;
  readonly #rejections: RejectionCounts;
  #dropped = 0;
  #droppedInAll = 0;
  /** The batch that the sink has not confirmed yet. */
  #batch: Batch | undefined;
  #running = false;
  #failing = false;
  #closed = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | undefined;
  #countsTimer: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];

  constructor(private readonly parts: SinkWriterParts) {
    this.#sink = new TimedSink(parts.sink);
    this.#queue = new SinkQueue(parts.maxQueued);
    this.#rejections = new RejectionCounts(parts.nowMs);
  }

  get isFailing(): boolean {
    return this.#failing;
  }

  open(): Promise<void> {
    return this.#sink.open();
  }

  /** Writes what waits, and closes the sink. @returns what went wrong */
  async close(): Promise<readonly string[]> {
    await within(this.#writeAll(), LAST_FLUSH_MS).catch(() => undefined);
    this.#closed = true;
    this.#stopTimer();
    clearTimeout(this.#countsTimer);
    this.#queue.rejectWaiting();
    const { length } = this.#queue;
    const problems = [await this.#sink.close()];
    if (length > 0)
      problems.unshift(`${this.#sink.title} was closed with ${length} records that it has not taken.`);
    return problems.filter(problem => problem !== undefined);
  }

  /** Reserves room for records that must not be lost. @returns false if there is none */
  reserve(count: number): boolean {
    return !this.#closed && this.#queue.reserve(count);
  }

  release(count: number): void {
    this.#queue.release(count);
  }

  /** Queues a record whose room is reserved. */
  push(line: AuditLine): void {
    this.#queue.pushReserved(line, undefined);
    this.#start(false);
  }

  /** The same. @returns whether the record was written */
  pushAndWait(line: AuditLine): Promise<boolean> {
    return new Promise(resolve => {
      this.#queue.pushReserved(line, resolve);
      this.#start(true);
    });
  }

  /** Queues a record if there is room, else counts it. */
  offer(line: AuditLine): void {
    if (this.#queue.offer(line, 'low')) return this.#start(false);
    this.#dropped++;
    this.#droppedInAll++;
  }

  /** Whether there is room for the record of a rejection: check it before the record is made. */
  get takesRejections(): boolean {
    return this.#queue.takesRejections;
  }

  /** Queues the record of a rejection if there is room, else counts the rejection. */
  reject(line: AuditLine, kind: CallEnd): void {
    if (this.#queue.offer(line, 'rejection')) this.#start(false);
    else this.countRejection(kind);
  }

  /** Counts a rejection. Once a minute, each count becomes a record. */
  countRejection(kind: CallEnd): void {
    this.#rejections.add(kind);
    this.#countsTimer ??= setTimeout(() => this.#recordCounts(), COUNTED_EVERY_MS).unref();
  }

  /** Settles when everything has been written, or the sink has failed. */
  async flush(): Promise<void> {
    this.#recordCounts();
    this.#stopTimer();
    await this.#drain();
    if (this.#running) await new Promise<void>(resolve => this.#idle.push(resolve));
  }

  /** Settles when everything has been written, however often that takes. */
  async #writeAll(): Promise<void> {
    await this.flush();
    while (!this.#closed && this.#queue.length > 0)
      await new Promise<void>(resolve => this.#idle.push(resolve));
  }

  /** Turns counts into records, as far as there is room; the others continue. */
  #recordCounts(): void {
    clearTimeout(this.#countsTimer);
    this.#countsTimer = undefined;
    while (!this.#rejections.isEmpty && this.#queue.takesRejections) {
      this.#queue.offer(this.parts.toLine(this.#rejections.take()!), 'rejection');
    }
    if (!this.#rejections.isEmpty)
      this.#countsTimer = setTimeout(() => this.#recordCounts(), COUNTED_EVERY_MS).unref();
    if (this.#queue.length > 0) this.#start(false);
  }

  #start(isAwaited: boolean): void {
    if (this.#running || this.#failing || this.#closed) return;
    const { lingerMs } = this.#sink;
    if (isAwaited || lingerMs === 0 || this.#queue.length >= MAX_BATCH) void this.#drain();
    else this.#timer ??= setTimeout(() => void this.#drain(), lingerMs);
  }

  async #drain(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#stopTimer();
    while (!this.#closed && (this.#batch ??= this.#nextBatch()) !== undefined) {
      if (!(await this.#write(this.#batch))) break;
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #nextBatch(): Batch | undefined {
    const waiting = this.#queue.first(MAX_BATCH, MAX_BATCH_BYTES);
    const dropped = this.#dropped;
    const lines = waiting.map(({ line }) => line);
    if (dropped > 0) lines.push(this.parts.toLine({ event: 'dropped', count: dropped }));
    return lines.length === 0 ? undefined : { waiting, lines, dropped };
  }

  async #write(batch: Batch): Promise<boolean> {
    try {
      await this.#sink.write(batch.lines, () => this.#complete(batch));
      return true;
    } catch (error) {
      // It may have succeeded late, but before this.
      if (this.#batch !== batch) return true;
      this.#fail(messageOf(error));
      if (!this.#closed) this.#retryLater();
      return false;
    }
  }

  /** Runs once a batch: a write that missed its deadline may still succeed, before or after the next try. */
  #complete(batch: Batch): void {
    if (this.#batch !== batch) return;
    this.#batch = undefined;
    this.#queue.remove(batch.waiting.length);
    this.#dropped -= batch.dropped;
    for (const { onWritten } of batch.waiting) onWritten?.(true);
    if (this.#closed) return;
    this.#heal();
    void this.#drain();
  }

  #fail(reason: string): void {
    // The calls that wait are rejected; their records stay queued, and are written later.
    this.#queue.rejectWaiting();
    if (this.#failing) return;
    this.#failing = true;
    this.parts.onHealth({ sink: this.#sink.name, state: 'failing', reason, dropped: 0 });
  }

  #heal(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#retryMs = FIRST_RETRY_MS;
    this.parts.onHealth({ sink: this.#sink.name, state: 'healed', dropped: this.#droppedInAll });
    this.#droppedInAll = 0;
  }

  #retryLater(): void {
    this.#timer = setTimeout(() => void this.#drain(), this.#retryMs).unref();
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
