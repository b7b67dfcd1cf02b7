import type { ResolvedAudit } from './audit.options.js';
import type { Log } from '../common/log.js';
import type { AuditSink } from './audit-sink.js';
import { FileSink } from './file-sink.js';
import { loggerSink } from './logger-sink.js';

export interface SinkLog {
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
