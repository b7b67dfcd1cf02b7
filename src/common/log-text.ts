/* Text for a log. What a client, a file or another server chose may hold line breaks that forge lines, escape sequences that reach a
 * terminal, and marks that reorder what is read. Every log call of this package with variable text goes through here. */
import { inspect } from 'node:util';

/** Longer values are cut: a line of a log is no place for a body. */
const MAX_VALUE_LENGTH = 1_000;

/** Control and format characters (bidirectional marks and zero-width ones among them), line separators, and lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Writes what a reader must not take for anything else as `\u001b`. In JSON the text stays the same JSON. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, unsafe => {
    let escaped = '';
    for (let at = 0; at < unsafe.length; at++) {
      escaped += `\\u${unsafe.charCodeAt(at).toString(16).padStart(4, '0')}`;
    }
    return escaped;
  });
}

/** A value in a log, on one line and of a bounded length. Of an error its name and message. */
export function logText(value: unknown): string {
  // Not String(): an object without a prototype has no text of its own, and a method of the value's would run.
  const text =
    typeof value === 'string' ? value : isError(value) ? describe(value) : inspect(value, { depth: 1 });
  const over = text.length - MAX_VALUE_LENGTH;
  return over > 0
    ? `${escapeText(text.slice(0, MAX_VALUE_LENGTH))}… (${over} characters more)`
    : escapeText(text);
}

/** A log line: `log.warn(logLine\`No route to ${path}\`)`. Each value goes through {@link logText}. */
export function logLine(strings: TemplateStringsArray, ...values: readonly unknown[]): string {
  return strings.reduce((line, part, at) => `${line}${logText(values[at - 1])}${part}`);
}

/** Where an error was thrown: its frames, each on its own line, below its name and message on one. */
export function logStack(error: Error): string {
  const frames = String(error.stack ?? '')
    .split('\n')
    .filter(line => /^\s+at /.test(line));
  return [logText(error), ...frames.map(frame => logText(frame))].join('\n');
}

const isError = (value: unknown): value is Error => value instanceof Error;

const describe = ({ name, message }: Error): string => `${name}: ${message}`;
