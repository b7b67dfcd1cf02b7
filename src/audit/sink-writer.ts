/* The way of records to one sink: in order, one write at a time, out of a queue with a bound. A sink that fails is tried again and again;
 * who needs a record to be safe is told at once that it is not. */
import type { AuditRecord } from './audit-record.js';
import type { AuditLine, AuditSink } from './audit-sink.js';
import { RejectionCounts, type RejectionKind } from './rejection-counts.js';
import { SinkQueue } from './sink-queue.js';

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
  /** A record of the writer's own, as a line. */
  readonly toLine: (parts: Omit<AuditRecord, 'time'>) => AuditLine;
  readonly onHealth: (health: SinkHealth) => void;
}

/** Lines of one write: those that come meanwhile wait, and go together. */
const MAX_BATCH = 500;
/** Of one write: a start must be able to read back what a crash left of it. */
const MAX_BATCH_BYTES = 8_388_608;
/** A write that takes longer counts as failed for those who wait for it. */
const DEADLINE_MS = 5_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** How often what was counted becomes records. */
const COUNTED_EVERY_MS = 60_000;

export class SinkWriter {
  readonly sink: AuditSink;
  readonly #queue: SinkQueue;
  readonly #rejections: RejectionCounts;
  #dropped = 0;
  #droppedInAll = 0;
  #running = false;
  #failing = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | undefined;
  #countsTimer: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];

  constructor(private readonly parts: SinkWriterParts) {
    this.sink = parts.sink;
    this.#queue = new SinkQueue(parts.maxQueued);
    this.#rejections = new RejectionCounts(parts.nowMs);
  }

  get isFailing(): boolean {
    return this.#failing;
  }

  /** Room for records that must not be lost, kept until they come. @returns false if there is none */
  reserve(count: number): boolean {
    return this.#queue.reserve(count);
  }

  release(count: number): void {
    this.#queue.release(count);
  }

  /** Takes a record into the room that was kept for it. */
  keep(line: AuditLine): void {
    this.#queue.keep(line, undefined);
    this.#start(false);
  }

  /** The same, and says whether it has been written. */
  keepSafely(line: AuditLine): Promise<boolean> {
    return new Promise(settle => {
      this.#queue.keep(line, settle);
      this.#start(true);
    });
  }

  /** Takes a record if there is room, else counts it. */
  offer(line: AuditLine): void {
    if (this.#queue.offer(line, 'low')) return this.#start(false);
    this.#dropped++;
    this.#droppedInAll++;
  }

  /** Whether the record of a rejection may find room: asked before it is made. */
  get takesRejections(): boolean {
    return this.#queue.takesRejections;
  }

  /** Takes the record of a rejection if there is room, else counts the rejection. */
  reject(line: AuditLine, kind: RejectionKind): void {
    if (this.#queue.offer(line, 'rejection')) this.#start(false);
    else this.countRejection(kind);
  }

  /** Counts a rejection: one record a minute says how many of its kind there were. */
  countRejection(kind: RejectionKind): void {
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

  /** Turns counts into records, as far as there is room; the rest goes on counting. */
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
    if (this.#running || this.#failing) return;
    const { lingerMs = 0 } = this.sink;
    if (isAwaited || lingerMs === 0 || this.#queue.length >= MAX_BATCH) void this.#drain();
    else this.#timer ??= setTimeout(() => void this.#drain(), lingerMs);
  }

  async #drain(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#stopTimer();
    while (this.#queue.length > 0 || this.#dropped > 0) {
      if (!(await this.#writeBatch())) break;
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #writeBatch(): Promise<boolean> {
    const batch = this.#queue.first(MAX_BATCH, MAX_BATCH_BYTES);
    const dropped = this.#dropped;
    const lines = batch.map(({ line }) => line);
    if (dropped > 0) lines.push(this.parts.toLine({ event: 'dropped', count: dropped }));
    const deadline = setTimeout(() => this.#fail(`no answer within ${DEADLINE_MS} ms`), DEADLINE_MS);
    try {
      await this.sink.write(lines);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      this.#retryLater();
      return false;
    } finally {
      clearTimeout(deadline);
    }
    this.#queue.remove(batch.length);
    this.#dropped -= dropped;
    for (const { settle } of batch) settle?.(true);
    this.#heal();
    return true;
  }

  #fail(reason: string): void {
    // Those who wait are refused; their records stay, and tell later that somebody tried.
    this.#queue.refuseWaiting();
    if (this.#failing) return;
    this.#failing = true;
    this.parts.onHealth({ sink: this.sink.name, state: 'failing', reason, dropped: 0 });
  }

  #heal(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#retryMs = FIRST_RETRY_MS;
    this.parts.onHealth({ sink: this.sink.name, state: 'healed', dropped: this.#droppedInAll });
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
