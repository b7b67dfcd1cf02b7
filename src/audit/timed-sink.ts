/* Calls a sink with deadlines. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { within } from '../common/deadlines.js';
import type { AuditLine, AuditSink } from './audit-sink.js';

/** A write or a close that takes longer has failed. */
const DEADLINE_MS = 5_000;
/** Longer than a file lock of another machine is observed. */
const OPEN_DEADLINE_MS = 30_000;

export class TimedSink {
  /** In logs and errors. */
  readonly title: string;

  constructor(private readonly sink: AuditSink) {
    this.title = `The audit sink "${sink.name}"`;
  }

  get name(): string {
    return this.sink.name;
  }

  get lingerMs(): number {
    return this.sink.lingerMs ?? 0;
  }

  async open(): Promise<void> {
    try {
      await within(
        callAsync(() => this.sink.open?.()),
        OPEN_DEADLINE_MS,
      );
    } catch (error) {
      if (error instanceof AgentSecurityConfigError) throw error;
      throw new Error(`${this.title} cannot be opened: ${messageOf(error)}`, { cause: error });
    }
  }

  /**
   * Writes lines.
   * @param onWritten called when the sink has taken them, also after the deadline
   * @throws Error if the sink fails or misses the deadline
   */
  async write(lines: readonly AuditLine[], onWritten: () => void): Promise<void> {
    const overdue = new AbortController();
    const writing = callAsync(() => this.sink.write(lines, overdue.signal));
    writing.then(onWritten, () => undefined);
    try {
      await within(writing, DEADLINE_MS);
    } catch (error) {
      overdue.abort();
      throw error;
    }
  }

  /** @returns what went wrong, if anything did */
  async close(): Promise<string | undefined> {
    try {
      await within(
        callAsync(() => this.sink.close?.()),
        DEADLINE_MS,
      );
      return undefined;
    } catch (error) {
      return `${this.title} cannot be closed: ${messageOf(error)}`;
    }
  }
}

/** Turns what a call throws into a rejection. */
async function callAsync(call: () => void | Promise<void>): Promise<void> {
  await call();
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
