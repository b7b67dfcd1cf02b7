import type { ResolvedAudit } from './audit.options.js';
import type { AuditSink } from './audit-sink.js';
import { FileSink } from './file-sink.js';
import { loggerSink } from './logger-sink.js';

export interface SinkLog {
  log(message: unknown): void;
}

/** The sinks of the options, in the order in which they are told. */
export function openSinks(options: ResolvedAudit, log: SinkLog, now: () => number): readonly AuditSink[] {
  const { file, key, maxFileBytes } = options;
  return [
    ...(file === undefined ? [] : [new FileSink({ path: file, key, maxFileBytes, now })]),
    ...(options.logger === false ? [] : [loggerSink(log, options.logger === 'object')]),
    ...options.sinks,
  ];
}
