import type { AuditRecord } from './audit-record.js';
import { escapeText, type Log } from '../common/log-text.js';
import type { ResolvedAudit } from './audit.options.js';
import { FileSink } from './file-sink.js';

/**
 * An audit record with its line.
 * @example
 * const print = ({ record, text }: AuditLine) => (record.impact === 'high' ? console.warn(text) : console.log(text));
 */
export interface AuditLine {
  readonly record: AuditRecord;
  /** The record as JSON, in one line without its end. */
  readonly text: string;
}

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

/** Writes records to a logger such as Nest's. A logger returns at once and shows no failure. */
function loggerSink(logger: { log(message: unknown): void }, asObject: boolean): AuditSink {
  return {
    name: 'logger',
    write(lines: readonly AuditLine[]): void {
      for (const { record, text } of lines) logger.log(asObject ? record : escapeText(text));
    },
  };
}

interface SinkLog {
  log(message: unknown): void;
}

/**
 * Creates the sinks of the options, in the order in which they get records.
 * @param records the logger for records, with `audit.logger`
 * @param log the logger for messages about the file
 */
export function openSinks(
  options: ResolvedAudit,
  records: SinkLog,
  log: Pick<Log, 'log' | 'error'>,
  now: () => number,
): readonly AuditSink[] {
  const { file, key, maxFileBytes } = options;
  return [
    ...(file === undefined ? [] : [new FileSink({ path: file, key, maxFileBytes, now, log })]),
    ...(options.logger === false ? [] : [loggerSink(records, options.logger === 'object')]),
    ...options.sinks,
  ];
}
