import type { AuditLine } from './audit-record.js';

/**
 * A destination of audit records, for example a log service or a database.
 * @example
 * const sink: AuditSink = {
 *   name: 'siem',
 *   write: async (lines, signal) => {
 *     const body = lines.map(({ text }) => text).join('\n');
 *     const response = await fetch(url, { method: 'POST', body, signal });
 *     if (!response.ok) throw new Error(`${response.status}`);
 *   },
 * };
 */
export interface AuditSink {
  /** Its name in logs and events. */
  readonly name: string;
  /**
   * Writes records, in order. The promise settles when they are as safe as the sink can make them; until then there is no further call.
   * If it throws or rejects, it is called again with the same records. The same happens if it has not settled within five seconds:
   * `signal` is then aborted, and a late success still counts.
   */
  write(lines: readonly AuditLine[], signal: AbortSignal): void | Promise<void>;
  /** Called once, before the app serves requests. An error stops the start-up, and so does an `open()` of more than 30 seconds. */
  open?(): void | Promise<void>;
  /** Called once, after the last record. It has five seconds. */
  close?(): void | Promise<void>;
  /** How long records that no call waits for are gathered before they are written, in milliseconds. @default 0 */
  readonly lingerMs?: number;
}

/** The last confirmed line of a hash chain, and whether a key seals it. */
export interface SinkChain {
  readonly seq: number;
  readonly hash: string;
  readonly isKeyed: boolean;
}

/** A sink of the module may have a hash chain. */
export interface ChainedSink extends AuditSink {
  readonly chain?: SinkChain;
}
