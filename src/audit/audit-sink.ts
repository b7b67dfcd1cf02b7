import type { AuditRecord } from './audit-record.js';

/** A record with its line. */
export interface AuditLine {
  readonly record: AuditRecord;
  /** The record as JSON, in one line without its end. */
  readonly text: string;
}

/** Where records go. */
export interface AuditSink {
  /** What logs and events call it. */
  readonly name: string;
  /**
   * Takes records, in order. What it returns settles when they are as safe as the sink can make them; until then it is given no more.
   * It rejects or throws where it could not take all of them, and is then given the same ones again. So it is where it has not settled
   * within five seconds: `signal` is then aborted, and a late success still counts.
   */
  write(lines: readonly AuditLine[], signal: AbortSignal): void | Promise<void>;
  /** Called once, before the app takes requests. What it throws stops the start-up, and so does an open of more than 30 seconds. */
  open?(): void | Promise<void>;
  /** Called once, behind the last record. It may take five seconds. */
  close?(): void | Promise<void>;
  /** How long records that nobody waits for may be gathered before they are written, in milliseconds. @default 0 */
  readonly lingerMs?: number;
}
