/* Options as tables: one reader per key, with its default and its range. The resolved type follows from the table. */
import type { ForeignNames } from './foreign-names.js';
import { parseDuration } from './parse-duration.js';
import {
  readBoolean,
  readChoice,
  readInteger,
  readObject,
  readRequired,
  readString,
  readStringList,
  readTextList,
  receivedError,
  typeError,
} from './read-options.js';

/** Reads one option. @param option its full name, for errors; @param value `undefined` where it was left out */
export type ReadOption<T> = (option: string, value: unknown) => T;

/** A reader for each key of an interface of options, so that neither can drift from the other. */
export type OptionTable<Options> = { readonly [K in keyof Required<Options>]: ReadOption<unknown> };

let observer: ((option: string, value: unknown) => void) | undefined;

/** Calls a function, and `observe` with each option that tables read meanwhile. */
export function observeTables<T>(observe: NonNullable<typeof observer>, run: () => T): T {
  observer = observe;
  try {
    return run();
  } finally {
    observer = undefined;
  }
}

/** The options after the table has read them. */
export type Resolved<Table> = {
  readonly [K in keyof Table]: Table[K] extends ReadOption<infer T> ? T : never;
};

/**
 * Reads an object of options.
 * @param foreign names of other libraries for the same options
 * @throws AgentSecurityConfigError for an unknown key, a value that is `undefined`, or one that its reader rejects
 * @example
 * const TABLE = { maxDepth: integer(64, 1, 10_000) } satisfies OptionTable<BodyOptions>;
 * const resolved: Resolved<typeof TABLE> = readTable('body', input, TABLE);
 */
export function readTable<Table extends Readonly<Record<string, ReadOption<unknown>>>>(
  option: string,
  input: unknown,
  table: Table,
  foreign?: ForeignNames,
): Resolved<Table> {
  const options = readObject(option, input, Object.keys(table), foreign);
  const resolved: Record<string, unknown> = {};
  for (const [key, read] of Object.entries(table)) {
    const name = option === '' ? key : `${option}.${key}`;
    resolved[key] = read(name, options[key]);
    observer?.(name, resolved[key]);
  }
  return resolved as Resolved<Table>;
}

/** The option of a feature in its short forms: `true` for its defaults, a text or a list for the member `main`. */
export function expandShort(input: unknown, main?: string): unknown {
  if (input === true) return {};
  return main !== undefined && (typeof input === 'string' || Array.isArray(input))
    ? { [main]: input }
    : input;
}

/** A reader of `read` that returns `fallback` where the option was left out. */
const withDefault =
  <T>(read: (option: string, value: unknown, fallback: T) => T) =>
  (fallback: T): ReadOption<T> =>
  (option, value) =>
    read(option, value, fallback);

export const boolean = withDefault(readBoolean);

/** A string that is not empty. */
export const text = withDefault(readString);

/** A string that must be given. */
export const requiredText: ReadOption<string> = readRequired;

export const integer =
  (fallback: number, min: number, max: number): ReadOption<number> =>
  (option, value) =>
    readInteger(option, value, fallback, { min, max });

export const texts =
  (fallback: readonly string[] = []): ReadOption<readonly string[]> =>
  (option, value) =>
    readStringList(option, value, fallback);

/** A list of strings. `readItem` reads each under its index: `cors.methods[0]`. */
export const list =
  <T>(
    readItem: ReadOption<T>,
    fallback: readonly string[] = [],
    read = readStringList,
  ): ReadOption<readonly T[]> =>
  (option, value) =>
    read(option, value, fallback).map((item, index) => readItem(`${option}[${index}]`, item));

/** The same for words, which may also stand in one text: `'GET, POST'`. */
export const words = <T>(readItem: ReadOption<T>, fallback?: readonly string[]): ReadOption<readonly T[]> =>
  list(readItem, fallback, readTextList);

/** One of some strings, compared exactly. */
export const choice =
  <const T extends string>(allowed: readonly T[], fallback: T): ReadOption<T> =>
  (option, value) =>
    readChoice(option, value, allowed, fallback);

/** A function, or `undefined`. */
export const fn =
  <F>(): ReadOption<F | undefined> =>
  (option, value) => {
    if (value !== undefined && typeof value !== 'function') throw typeError(option, 'a function', value);
    return value as F | undefined;
  };

/** The value as it was given, for options whose meaning depends on others. */
export const asGiven: ReadOption<unknown> = (_option, value) => value;

/** A duration, in milliseconds. */
export const duration =
  (fallback: string, min: string, max: string): ReadOption<number> =>
  (option, value = fallback) => {
    const ms = readMs(option, value);
    if (ms >= parseDuration(min)! && ms <= parseDuration(max)!) return ms;
    const remedy = 'Choose a duration in that range.';
    throw receivedError('ASEC_OPTION_RANGE', option, `must be from ${min} to ${max}`, remedy, value);
  };

/** The longest delay of a Node timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A time limit, in milliseconds. `false` for no limit, `undefined` where it was left out. */
export const timeLimit: ReadOption<number | false | undefined> = (option, value) => {
  if (value === undefined || value === false) return value;
  const ms = readMs(option, value, 'false for no limit');
  if (ms >= 1 && ms <= MAX_TIMER_MS) return ms;
  throw receivedError(
    'ASEC_OPTION_RANGE',
    option,
    `must be from 1 ms to ${MAX_TIMER_MS} ms`,
    'Choose a duration in that range, or false for no limit.',
    value,
  );
};

/** An age in seconds, as `max-age` of HTTP counts it: a number of seconds, or a duration. */
export const seconds =
  (fallback: number, min: number, max: number): ReadOption<number> =>
  (option, value) =>
    readInteger(option, typeof value === 'string' ? readMs(option, value) / 1_000 : value, fallback, {
      min,
      max,
    });

/** A number without a unit is rejected, because it could be seconds or milliseconds. */
function readMs(option: string, value: unknown, alternative?: string): number {
  const ms = typeof value === 'string' ? parseDuration(value) : undefined;
  if (ms !== undefined) return ms;
  const isNumber = /^[1-9]\d{0,11}$/.test(String(value).trim());
  const forms = isNumber
    ? `"${String(value).trim()}s" or "${String(value).trim()}ms"`
    : '"500ms", "30s", "5min" or "1h"';
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a duration with a unit',
    `Write ${isNumber ? '' : 'for example '}${forms}${alternative === undefined ? '' : `, or ${alternative}`}.`,
    value,
  );
}

const BYTE_UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** A size in bytes: a number, or text such as `'512kb'` and `'10mb'` (1 kb is 1024 bytes). */
export const bytes =
  (fallback: number): ReadOption<number> =>
  (option, value) => {
    if (typeof value !== 'string')
      return readInteger(option, value, fallback, { min: 0, max: Number.MAX_SAFE_INTEGER });
    const match = /^(\d{1,12}) ?(b|kb|mb|gb)$/i.exec(value);
    if (match) return Number(match[1]) * BYTE_UNITS[match[2]!.toLowerCase()]!;
    const remedy = 'Write for example "512kb" or "10mb".';
    throw receivedError('ASEC_OPTION_TYPE', option, 'must be a number of bytes or a size', remedy, value);
  };

/** The same reader, with its result converted. */
export const mapped =
  <T, U>(read: ReadOption<T>, convert: (value: T) => U): ReadOption<U> =>
  (option, value) =>
    convert(read(option, value));

/** The same reader; where the option was left out, it reads what `readVariable` returns. */
export const orVariable =
  <T>(read: ReadOption<T>, readVariable: () => unknown): ReadOption<T> =>
  (option, value) =>
    read(option, value === undefined ? readVariable() : value);

/** The same reader for an option that may be left out. */
export const optional =
  <T>(read: ReadOption<T>): ReadOption<T | undefined> =>
  (option, value) =>
    value === undefined ? undefined : read(option, value);
