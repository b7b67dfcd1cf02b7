/* Readers of single options, and the errors of invalid ones. option-table.ts reads whole objects of options. */
import { AgentSecurityConfigError } from './config-error.js';
import type { ConfigErrorCode } from './config-error-codes.js';
import { type ForeignNames, foreignRemedy } from './foreign-names.js';
import { show, showName } from './show-value.js';

/** Reads one environment variable (through the app's ConfigService); `undefined` when it is not set. */
export type ReadEnvironment = (name: string) => string | undefined;

/** The error of an invalid option, whose message shows the received value. */
export function receivedError(
  code: ConfigErrorCode,
  option: string,
  problem: string,
  remedy: string,
  received: unknown,
): AgentSecurityConfigError {
  const shown = show(received, option);
  return new AgentSecurityConfigError(code, option, `${problem}, received ${shown}`, remedy, shown);
}

/**
 * The error of an option or an argument that is `undefined` or `null`. A misspelt name in the app's configuration
 * yields them, so they do not count as left out.
 */
function missingError(option: string, received: unknown): AgentSecurityConfigError {
  // An argument of a decorator and an element of a list have no key.
  const key = /(?:^|\.)(\w+)$/.exec(option)?.[1];
  const remedy =
    key === undefined
      ? 'Pass a value: look for a misspelt name where it comes from.'
      : `Give it a value (look for a misspelt name where it comes from), or leave the key out: ...(value === undefined ? {} : { ${key}: value }).`;
  const shown = show(received);
  return new AgentSecurityConfigError('ASEC_OPTIONS_MISSING', option, `is ${shown}`, remedy, shown);
}

/** The first of a function's rest parameters, or `fallback` if there is none. `undefined` is an error. */
export function readArgument<T>(option: string, given: readonly unknown[], fallback: T): T {
  return given.length === 0 ? fallback : (readGiven(option, given[0]) as T);
}

/** An argument that must be given. */
export function readGiven<T>(option: string, value: T | null | undefined): T {
  if (value === undefined || value === null) throw missingError(option, value);
  return value;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function typeError(option: string, expected: string, received: unknown): AgentSecurityConfigError {
  return receivedError('ASEC_OPTION_TYPE', option, `must be ${expected}`, `Pass ${expected}.`, received);
}

/**
 * Reads an object and checks its keys against `known`; `{}` where the option was left out. A key whose value is `undefined` or `null` is an
 * error, and so is an object without options, such as a promise that was not awaited.
 */
export function readObject<K extends string>(
  option: string,
  value: unknown,
  known: readonly K[],
  foreign: ForeignNames = {},
): Partial<Record<K, unknown>> {
  if (value === undefined) return {};
  const name = option === '' ? 'options' : option;
  if (!isRecord(value)) throw typeError(name, 'an object', value);
  rejectUnknownKeys(option, value, known, foreign);
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value) as null);
  // Getters of a class count; inherited members of a plain object do not.
  const given = known.filter(key => (isPlain ? Object.hasOwn(value, key) : key in value));
  if (given.length === 0 && !isPlain) throw typeError(name, 'an object with options', value);
  rejectMissing(option, value, given);
  return value as Partial<Record<K, unknown>>;
}

/**
 * Rejects members that are `undefined` or `null`. Without `keys`, it also rejects everything but a plain object: the
 * entries of a `Map` or of a promise that was not awaited would be ignored.
 */
export function rejectMissing(
  option: string,
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[] = plainKeys(option, value),
): void {
  for (const key of keys) readGiven(option === '' ? key : `${option}.${showName(key)}`, value[key]);
}

function plainKeys(option: string, value: Readonly<Record<string, unknown>>): readonly string[] {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw typeError(option, 'a plain object', value);
  return Object.keys(value);
}

function rejectUnknownKeys(
  option: string,
  value: Record<string, unknown>,
  known: readonly string[],
  foreign: ForeignNames,
): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const near = nearestName(key, known);
    throw new AgentSecurityConfigError(
      'ASEC_OPTION_UNKNOWN',
      option === '' ? showName(key) : `${option}.${showName(key)}`,
      'is not an option',
      foreignRemedy(foreign, key, value) ??
        (near ? `Did you mean "${near}"?` : `Known here: ${known.join(', ')}.`),
    );
  }
}

export function readBoolean(option: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw typeError(option, 'true or false', value);
  return value;
}

export function readInteger(
  option: string,
  value: unknown,
  fallback: number,
  range: { readonly min: number; readonly max: number },
): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') throw typeError(option, 'a number', value);
  if (Number.isInteger(value) && value >= range.min && value <= range.max) return value;
  throw receivedError(
    'ASEC_OPTION_RANGE',
    option,
    `must be a whole number from ${range.min} to ${range.max}`,
    'Choose a value in that range.',
    value,
  );
}

export function readString(option: string, value: unknown, fallback: string): string {
  if (value === undefined) return fallback;
  if (typeof value !== 'string' || value === '') throw typeError(option, 'a non-empty string', value);
  return value;
}

export function readStringList(
  option: string,
  value: unknown,
  fallback: readonly string[],
): readonly string[] {
  if (value === undefined) return fallback;
  if (!Array.isArray(value)) throw typeError(option, 'a list of strings', value);
  for (const [index, item] of value.entries()) {
    if (typeof item !== 'string') throw typeError(`${option}[${index}]`, 'a string', item);
  }
  return [...(value as string[])];
}

/** A string that must be given. */
export function readRequired(option: string, value: unknown): string {
  return readString(option, value ?? null, '');
}

/** One string, or a list with at least one. */
export function readTexts(option: string, value: unknown): readonly string[] {
  const texts = Array.isArray(value) ? readStringList(option, value, []) : [readRequired(option, value)];
  if (texts.length === 0 || texts.includes('')) readRequired(option, '');
  return texts;
}

/** One of `allowed`, compared exactly. */
export function readChoice<T extends string>(
  option: string,
  value: unknown,
  allowed: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback;
  if (!allowed.includes(value as T))
    throw typeError(option, `one of ${allowed.map(choice => show(choice)).join(', ')}`, value);
  return value as T;
}

/** Exact request paths, such as `/healthz`. */
export function readPaths(option: string, value: unknown): ReadonlySet<string> {
  const paths = readTextList(option, value, []);
  for (const [index, path] of paths.entries()) {
    // A route parameter would be compared literally and match nothing.
    if (/^\/[\x21-\x7e]*$/.test(path) && !/[?#*]|\/:/.test(path)) continue;
    throw receivedError(
      'ASEC_PATH_INVALID',
      `${option}[${index}]`,
      'must be an exact path',
      'Write it as in the request line, such as "/healthz": no pattern, no query.',
      path,
    );
  }
  return new Set(paths);
}

/** A list from an environment variable: comma-separated, or a JSON array. A blank variable counts as not set. */
export function readListVariable(env: ReadEnvironment, name: string): readonly string[] | undefined {
  const text = env(name)?.trim();
  if (!text) return undefined;
  return readArrayVariable(name, text) ?? splitList(name, text);
}

/** A list in one text: names and origins hold neither commas nor white space. */
function splitList(name: string, text: string): readonly string[] {
  const items = text.split(',').flatMap(item => item.trim().split(/\s+/));
  for (const [index, item] of items.entries()) {
    const fault = LIST_FAULTS.find(([pattern]) => pattern.test(item));
    if (fault) throw receivedError('ASEC_OPTION_TYPE', `${name}[${index}]`, fault[1], fault[2], item);
  }
  return items;
}

/** A list of strings, or one text with the same, as an environment variable holds it: `config.get('ALLOWED_HOSTS')`. */
export function readTextList(option: string, value: unknown, fallback: readonly string[]): readonly string[] {
  if (typeof value !== 'string') return readStringList(option, value, fallback);
  return /[,\s]/.test(value.trim()) ? splitList(option, value) : [value.trim()];
}

const LIST_FAULTS: readonly (readonly [pattern: RegExp, problem: string, remedy: string])[] = [
  [/^$/, 'is empty', 'Remove the extra comma.'],
  [/["']/, 'has quotation marks', 'Remove them: some loaders, such as docker run --env-file, keep them.'],
];

/** The items of a JSON array; `undefined` for another text. An IPv6 address begins with a bracket too. */
export function readArrayVariable(name: string, text: string): readonly string[] | undefined {
  if (!text.startsWith('[') || /^\[[\da-f.]*:[\da-f.:]*\]/i.test(text)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw receivedError(
      'ASEC_OPTION_TYPE',
      name,
      'begins like a JSON array, and is not one',
      'Write ["a", "b"] with double quotes, or a,b without brackets.',
      text,
    );
  }
  return readStringList(name, parsed, []);
}

export function readBooleanVariable(env: ReadEnvironment, name: string): boolean | undefined {
  const text = env(name)?.trim();
  if (!text) return undefined;
  const value = text.toLowerCase();
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw typeError(name, 'true, false, 1 or 0', text);
}

export function readIntegerVariable(
  env: ReadEnvironment,
  name: string,
  range: { readonly min: number; readonly max: number },
): number | undefined {
  const text = env(name)?.trim();
  if (!text) return undefined;
  return readInteger(name, /^-?\d+$/.test(text) ? Number(text) : text, 0, range);
}

/** The closest known name: at most two edits away, or different in case and punctuation only. */
export function nearestName(name: string, known: readonly string[], maxDistance = 2): string | undefined {
  let best: string | undefined;
  let bestDistance = maxDistance + 1;
  for (const candidate of known) {
    const distance = plain(candidate) === plain(name) ? 0 : editDistance(candidate, name);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(substitution, row[j]! + 1, next[j - 1]! + 1);
    }
    row = next;
  }
  return row[b.length]!;
}
