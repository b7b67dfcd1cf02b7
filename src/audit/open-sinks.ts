import type { ResolvedAudit } from './audit.options.js';
import type { AuditLog } from './audit-trail.js';
import type { AuditSink } from './audit-sink.js';
import { FileSink } from './file-sink.js';
import { loggerSink } from './logger-sink.js';

export interface SinkLog {
  log(message: unknown): void;
}

/**
 * The sinks of the options, in the order in which they are told.
 * @param records where records go with `audit.logger`
 * @param log where the file says what becomes of it
 */
export function openSinks(
  options: ResolvedAudit,
  records: SinkLog,
  log: AuditLog,
  now: () => number,
): readonly AuditSink[] {
  const { file, key, maxFileBytes } = options;
  return [
    ...(file === undefined ? [] : [new FileSink({ path: file, key, maxFileBytes, now, log })]),
    ...(options.logger === false ? [] : [loggerSink(records, options.logger === 'object')]),
    ...options.sinks,
  ];
}
