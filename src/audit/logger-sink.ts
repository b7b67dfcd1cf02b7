import type { AuditLine, AuditSink } from './audit-sink.js';
import { escapeText } from '../common/log-text.js';

/** Writes records to a logger such as Nest's. A logger returns at once and shows no failure. */
export function loggerSink(logger: { log(message: unknown): void }, asObject: boolean): AuditSink {
  return {
    name: 'logger',
    write(lines: readonly AuditLine[]): void {
      for (const { record, text } of lines) logger.log(asObject ? record : escapeText(text));
    },
  };
}
