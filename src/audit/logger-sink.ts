import type { AuditLine, AuditSink } from './audit-sink.js';
import { escapeText } from '../common/log-text.js';

/** Records in a logger such as Nest's, which takes them at once: there is nothing to wait for, and no failure to see. */
export function loggerSink(logger: { log(message: unknown): void }, asObject: boolean): AuditSink {
  return {
    name: 'logger',
    write(lines: readonly AuditLine[]): void {
      for (const { record, text } of lines) logger.log(asObject ? record : escapeText(text));
    },
  };
}
