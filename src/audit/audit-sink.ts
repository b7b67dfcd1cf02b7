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
   * It rejects or throws where it could not take all of them, and is then given the same ones again.
   */
  write(lines: readonly AuditLine[]): void | Promise<void>;
  /** Called once, before the app takes requests. What it throws stops the start-up. */
  open?(): void | Promise<void>;
  /** Called once, behind the last record. */
  close?(): void | Promise<void>;
  /** How long records that nobody waits for may be gathered before they are written, in milliseconds. @default 0 */
  readonly lingerMs?: number;
}
