/* The way of records to one sink: in order, one write at a time, in a queue with a bound. A sink that fails is tried again and again; who
 * needs a record to be safe is told at once that it is not. */
import type { AuditLine, AuditSink } from './audit-sink.js';

export interface SinkHealth {
  readonly sink: string;
  readonly state: 'failing' | 'healed';
  readonly reason?: string | undefined;
  /** Since it began to fail. */
  readonly dropped: number;
}

/** Lines of one write: those that come meanwhile wait, and go together. */
const MAX_BATCH = 500;
/** A write that takes longer counts as failed for those who wait for it. */
const DEADLINE_MS = 5_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** What records of low impact may fill of the queue; the rest is for those that must not be lost. */
const LOW_SHARE = 0.75;

interface Waiting {
  readonly line: AuditLine;
  readonly settle: ((written: boolean) => void) | undefined;
}

export class SinkWriter {
  readonly #queue: Waiting[] = [];
  #reserved = 0;
  #dropped = 0;
  #droppedInAll = 0;
  #running = false;
  #failing = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];

  constructor(
    readonly sink: AuditSink,
    private readonly maxQueued: number,
    /** The record that says how many were dropped. */
    private readonly tellDropped: (count: number) => AuditLine,
    private readonly onHealth: (health: SinkHealth) => void,
  ) {}

  get isFailing(): boolean {
    return this.#failing;
  }

  /** Room for records that must not be lost, kept until they come. @returns false if there is none */
  reserve(count: number): boolean {
    if (this.#queue.length + this.#reserved + count > this.maxQueued) return false;
    this.#reserved += count;
    return true;
  }

  release(count: number): void {
    this.#reserved -= count;
  }

  /** Takes a record into the room that was kept for it. */
  keep(line: AuditLine): void {
    this.#reserved--;
    this.#push({ line, settle: undefined });
  }

  /** The same, and says whether it has been written. */
  keepSafely(line: AuditLine): Promise<boolean> {
    this.#reserved--;
    return new Promise(settle => this.#push({ line, settle }));
  }

  /** Takes a record if there is room, else counts it. */
  offer(line: AuditLine): void {
    if (this.#queue.length + this.#reserved >= this.maxQueued * LOW_SHARE) {
      this.#dropped++;
      this.#droppedInAll++;
    } else {
      this.#push({ line, settle: undefined });
    }
  }

  /** Settles when everything has been written, or the sink has failed. */
  async flush(): Promise<void> {
    this.#stopTimer();
    await this.#drain();
    if (this.#running) await new Promise<void>(resolve => this.#idle.push(resolve));
  }

  #push(waiting: Waiting): void {
    this.#queue.push(waiting);
    if (this.#running || this.#failing) return;
    const { lingerMs = 0 } = this.sink;
    if (waiting.settle !== undefined || lingerMs === 0 || this.#queue.length >= MAX_BATCH) void this.#drain();
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
    const batch = this.#queue.slice(0, MAX_BATCH);
    const dropped = this.#dropped;
    const lines = batch.map(({ line }) => line);
    if (dropped > 0) lines.push(this.tellDropped(dropped));
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
    this.#queue.splice(0, batch.length);
    this.#dropped -= dropped;
    for (const { settle } of batch) settle?.(true);
    this.#heal();
    return true;
  }

  #fail(reason: string): void {
    // Those who wait are refused; their records stay, and tell later that somebody tried.
    for (const [index, { line, settle }] of this.#queue.entries()) {
      if (settle === undefined) continue;
      settle(false);
      this.#queue[index] = { line, settle: undefined };
    }
    if (this.#failing) return;
    this.#failing = true;
    this.onHealth({ sink: this.sink.name, state: 'failing', reason, dropped: 0 });
  }

  #heal(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#retryMs = FIRST_RETRY_MS;
    this.onHealth({ sink: this.sink.name, state: 'healed', dropped: this.#droppedInAll });
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
