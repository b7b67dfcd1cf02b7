/* Writes records to one sink: in order, one write at a time, from a bounded queue. A write that fails is tried again until it succeeds;
 * calls that wait for their record fail at once. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { within } from '../common/within.js';
import type { CallEnd } from '../common/response-end.js';
import type { SecurityEventMap } from '../events/security-events.js';
import { type AuditLine, createLine } from './audit-record.js';
import type { AuditSink, ChainedSink, SinkChain } from './audit-sink.js';
import { RejectionCounts, SinkQueue, type Waiting } from './sink-queue.js';

export type SinkHealth = SecurityEventMap['audit.failing'];

/** How a sink is at the moment. */
export interface SinkStatus {
  readonly name: string;
  readonly isFailing: boolean;
  /** Records that wait. */
  readonly queued: number;
  /** Records of low impact that were dropped since the start. */
  readonly dropped: number;
  /** Of a file with a hash chain, its last confirmed line. */
  readonly chain: SinkChain | undefined;
}

interface SinkWriterParts {
  readonly sink: AuditSink;
  /** Records. */
  readonly maxQueued: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly onHealth: (health: SinkHealth) => void;
}

/** A write or a close that takes longer has failed. */
const DEADLINE_MS = 5_000;
/** Longer than a file lock of another machine is observed. */
const OPEN_DEADLINE_MS = 30_000;
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
  readonly #queue: SinkQueue;
  readonly #rejections: RejectionCounts;
  #dropped = 0;
  #droppedInAll = 0;
  #droppedEver = 0;
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
    this.#queue = new SinkQueue(parts.maxQueued);
    this.#rejections = new RejectionCounts(parts.nowMs);
  }

  get status(): SinkStatus {
    const { name, chain } = this.parts.sink as ChainedSink;
    const { length } = this.#queue;
    return { name, isFailing: this.#failing, queued: length, dropped: this.#droppedEver, chain };
  }

  async open(): Promise<void> {
    const { sink } = this.parts;
    try {
      await within(
        callAsync(() => sink.open?.()),
        OPEN_DEADLINE_MS,
      );
    } catch (error) {
      if (error instanceof AgentSecurityConfigError) throw error;
      throw new Error(`The audit sink "${sink.name}" cannot be opened: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Writes what waits, and closes the sink. @returns what went wrong */
  async close(): Promise<readonly string[]> {
    const { sink } = this.parts;
    const problems: string[] = [];
    await within(this.#writeAll(), LAST_FLUSH_MS).catch(() => undefined);
    this.#closed = true;
    this.#stopTimer();
    clearTimeout(this.#countsTimer);
    this.#queue.rejectWaiting();
    const { length } = this.#queue;
    if (length > 0)
      problems.push(`The audit sink "${sink.name}" was closed with ${length} records that it has not taken.`);
    await within(
      callAsync(() => sink.close?.()),
      DEADLINE_MS,
    ).catch((error: unknown) =>
      problems.push(`The audit sink "${sink.name}" cannot be closed: ${messageOf(error)}`),
    );
    return problems;
  }

  /**
   * Reserves room for records that must not be lost.
   * @param isAwaited whether the call waits until they are written, which a failing sink does not do
   * @returns false if there is none
   */
  reserve(count: number, isAwaited: boolean): boolean {
    return !this.#closed && !(isAwaited && this.#failing) && this.#queue.reserve(count);
  }

  release(count: number): void {
    this.#queue.release(count);
  }

  /** Queues a record whose room is reserved. @param onWritten called with whether it was written, as soon as that is known */
  push(line: AuditLine, onWritten?: (written: boolean) => void): void {
    this.#queue.pushReserved(line, onWritten);
    this.#start(onWritten !== undefined);
  }

  /** Queues a record if there is room, else counts it. */
  offer(line: AuditLine): void {
    if (this.#queue.offer(line, 'low')) return this.#start(false);
    this.#dropped++;
    this.#droppedInAll++;
    this.#droppedEver++;
  }

  /**
   * Records a rejection if there is room for it, else counts it. Once a minute, each count becomes a record.
   * @param createRecord called only where there is room; `undefined` to count the rejection
   */
  reject(end: CallEnd, createRecord: (() => AuditLine) | undefined): void {
    if (createRecord !== undefined && this.#queue.takesRejections) {
      this.#queue.offer(createRecord(), 'rejection');
      this.#start(false);
    } else {
      this.#rejections.add(end);
      this.#recordCountsLater();
    }
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

  #recordCountsLater(): void {
    this.#countsTimer ??= setTimeout(() => this.#recordCounts(), COUNTED_EVERY_MS).unref();
  }

  /** Turns counts into records, as far as there is room; the others continue. */
  #recordCounts(): void {
    clearTimeout(this.#countsTimer);
    this.#countsTimer = undefined;
    while (!this.#rejections.isEmpty && this.#queue.takesRejections)
      this.#queue.offer(createLine(this.#rejections.take()!, this.parts.nowMs()), 'rejection');
    if (!this.#rejections.isEmpty) this.#recordCountsLater();
    if (this.#queue.length > 0) this.#start(false);
  }

  #start(isAwaited: boolean): void {
    if (this.#running || this.#failing || this.#closed) return;
    const { lingerMs = 0 } = this.parts.sink;
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
    if (dropped > 0) lines.push(createLine({ event: 'dropped', count: dropped }, this.parts.nowMs()));
    return lines.length === 0 ? undefined : { waiting, lines, dropped };
  }

  async #write(batch: Batch): Promise<boolean> {
    const overdue = new AbortController();
    const writing = callAsync(() => this.parts.sink.write(batch.lines, overdue.signal));
    // Also after the deadline.
    writing.then(
      () => this.#complete(batch),
      () => undefined,
    );
    try {
      await within(writing, DEADLINE_MS);
      return true;
    } catch (error) {
      overdue.abort();
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
    this.parts.onHealth({ sink: this.parts.sink.name, state: 'failing', reason, dropped: 0 });
  }

  #heal(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#retryMs = FIRST_RETRY_MS;
    this.parts.onHealth({ sink: this.parts.sink.name, state: 'healed', dropped: this.#droppedInAll });
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

/** Turns what a call throws into a rejection. */
async function callAsync(call: () => void | Promise<void>): Promise<void> {
  await call();
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
