import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';

export type LogLevelName = 'log' | 'error' | 'warn' | 'debug' | 'verbose' | 'fatal';

export interface LogEntry {
  readonly level: LogLevelName;
  readonly message: string;
  readonly context: string | undefined;
  /** Everything that was passed, stack included, as text. */
  readonly text: string;
}

/** A Nest logger that keeps what it is given. */
export class CapturingLogger implements LoggerService {
  readonly entries: LogEntry[] = [];

  log(message: unknown, ...rest: unknown[]): void {
    this.#keep('log', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.#keep('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.#keep('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.#keep('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.#keep('verbose', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.#keep('fatal', message, rest);
  }

  /** Entries of one level (all without one) whose text holds `part`. */
  find(part: string | RegExp, level?: LogLevelName): LogEntry[] {
    return this.entries.filter(
      entry =>
        (level === undefined || entry.level === level) &&
        (typeof part === 'string' ? entry.text.includes(part) : part.test(entry.text)),
    );
  }

  get text(): string {
    return this.entries.map(entry => entry.text).join('\n');
  }

  clear(): void {
    this.entries.length = 0;
  }

  #keep(level: LogLevelName, message: unknown, rest: unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? (rest.at(-1) as string) : undefined;
    const text = [message, ...rest]
      .map(part => (typeof part === 'string' ? part : inspect(part, { depth: 5 })))
      .join(' ');
    this.entries.push({ level, message: String(message), context, text });
  }
}
