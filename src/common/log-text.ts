/* Escapes text for logs. Text of a client, a file or another server may contain line breaks that forge log lines,
 * terminal escape sequences, and bidirectional marks. Every log call of this package with variable text uses this file. */
import { inspect } from 'node:util';

/** Longer values are cut. */
const MAX_VALUE_LENGTH = 1_000;

/** Control and format characters (bidirectional marks and zero-width ones among them), line separators, and lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Escapes unsafe characters as `\u001b`. JSON keeps its meaning. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, unsafe => {
    let escaped = '';
    for (let at = 0; at < unsafe.length; at++) {
      escaped += `\\u${unsafe.charCodeAt(at).toString(16).padStart(4, '0')}`;
    }
    return escaped;
  });
}

/** The password of a URL, `https://user:password@host`. It may hold what a URL should encode. */
const URL_PASSWORD = /(:\/\/[^\s/:@]*:)[^\s/?#"'<>]+@/g;

/** Replaces the passwords of URLs: the driver of a store may name its URL in the message of an error. */
export const hideUrlPasswords = (text: string): string =>
  text.includes('://') ? text.replace(URL_PASSWORD, '$1[redacted]@') : text;

/** A value for a log: on one line, of a bounded length, without the passwords of URLs; an error as its name and message. */
export function logText(value: unknown): string {
  const text = hideUrlPasswords(toText(value));
  const over = text.length - MAX_VALUE_LENGTH;
  const cut = escapeText(text.slice(0, MAX_VALUE_LENGTH));
  return over > 0 ? `${cut}… (${over} characters more)` : cut;
}

function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  // Not String(): it fails for an object without a prototype, and would call a method of the value.
  return inspect(value, { depth: 1 });
}

/** A log line: `log.warn(logLine\`No route to ${path}\`)`. Each value goes through {@link logText}. */
export function logLine(strings: TemplateStringsArray, ...values: readonly unknown[]): string {
  return strings.reduce((line, part, at) => `${line}${logText(values[at - 1])}${part}`);
}

/** Several lines of one entry: a title, and indented lines that each go through {@link logText}. */
export function logBlock(title: string, lines: readonly string[]): string {
  return [title, ...lines].map(logText).join('\n  ');
}

/** The stack of an error: its name and message on one line, then one line per frame. */
export function logStack(error: Error): string {
  const frames = String(error.stack ?? '')
    .split('\n')
    .filter(line => /^\s+at /.test(line));
  return [logText(error), ...frames.map(frame => logText(frame))].join('\n');
}

/** What is used of Nest's `Logger`. */
export interface Log {
  log(message: string): void;
  warn(message: string): void;
  error(message: string, stack?: string): void;
}
