/* Options as tables: one reader per key, with its default and its range. The resolved type follows from the table. */
import { readBytes } from './read-body.js';
import { readTimerMs, readDuration } from './read-duration.js';
import {
  readBoolean,
  readChoice,
  readFunction,
  readInteger,
  readObject,
  readRequired,
  readString,
  readStringList,
} from './read-options.js';

/** Reads one option. @param option its full name, for errors; @param value `undefined` where it was left out */
export type ReadOption<T> = (option: string, value: unknown) => T;

/** A reader for each key of an interface of options, so that neither can drift from the other. */
export type OptionTable<Options> = { readonly [K in keyof Required<Options>]: ReadOption<unknown> };

/** The options after the table has read them. */
export type Resolved<Table> = {
  readonly [K in keyof Table]: Table[K] extends ReadOption<infer T> ? T : never;
};

/**
 * Reads an object of options.
 * @throws AgentSecurityConfigError for an unknown key, a value that is `undefined`, or one that its reader rejects
 * @example
 * const TABLE = { maxDepth: integer(64, 1, 10_000) } satisfies OptionTable<BodyOptions>;
 * const resolved: Resolved<typeof TABLE> = readTable('body', input, TABLE);
 */
export function readTable<Table extends Readonly<Record<string, ReadOption<unknown>>>>(
  option: string,
  input: unknown,
  table: Table,
): Resolved<Table> {
  const options = readObject(option, input, Object.keys(table));
  const resolved: Record<string, unknown> = {};
  for (const [key, read] of Object.entries(table))
    resolved[key] = read(option === '' ? key : `${option}.${key}`, options[key]);
  return resolved as Resolved<Table>;
}

/** An integer. */
export const integer =
  (fallback: number, min: number, max: number): ReadOption<number> =>
  (option, value) =>
    readInteger(option, value, fallback, { min, max });

export const boolean =
  (fallback: boolean): ReadOption<boolean> =>
  (option, value) =>
    readBoolean(option, value, fallback);

/** A string that is not empty. */
export const text =
  (fallback: string): ReadOption<string> =>
  (option, value) =>
    readString(option, value, fallback);

/** A string that must be given. */
export const requiredText: ReadOption<string> = readRequired;

export const texts =
  (fallback: readonly string[] = []): ReadOption<readonly string[]> =>
  (option, value) =>
    readStringList(option, value, fallback);

/** A list of strings. `readItem` reads each under its index: `cors.methods[0]`. */
export const list =
  <T>(readItem: ReadOption<T>, fallback: readonly string[] = []): ReadOption<readonly T[]> =>
  (option, value) =>
    readStringList(option, value, fallback).map((item, index) => readItem(`${option}[${index}]`, item));

/** One of some strings, compared exactly. */
export const choice =
  <const T extends string>(allowed: readonly T[], fallback: T): ReadOption<T> =>
  (option, value) =>
    readChoice(option, value, allowed, fallback);

/** A function, or `undefined`. */
export const fn =
  <F>(): ReadOption<F | undefined> =>
  (option, value) =>
    readFunction<F>(option, value);

/** The value as it was given, for options whose meaning depends on others. */
export const asGiven: ReadOption<unknown> = (_option, value) => value;

/** A duration with a unit (`'30s'`), in milliseconds. */
export const duration =
  (fallback: string, min: string, max: string): ReadOption<number> =>
  (option, value) =>
    readDuration(option, value, fallback, { min, max });

/** A size in bytes. */
export const bytes =
  (fallback: number): ReadOption<number> =>
  (option, value) =>
    readBytes(option, value, fallback);

/** A time limit in milliseconds: a number, or a duration with a unit. `false` for no limit, `undefined` where it was left out. */
export const timeLimit: ReadOption<number | false | undefined> = (option, value) =>
  value === undefined || value === false ? value : readTimerMs(option, value);

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
