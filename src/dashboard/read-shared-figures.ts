/* Reads what other processes have shared. A store can hold anything: of another version, corrupt, or written by someone else. A row of
 * another form is left out, since it would break the snapshot of every viewer. */
import { isRecord } from '../common/read-options.js';
import { type Counts } from './bounded-counts.js';
import type { SharedFigures } from './merge-figures.js';
import { shorten } from './recent-rejections.js';

/** In characters. The lists of a process have fewer, and this process parses up to 64 of them each second. */
const MAX_TEXT = 400_000;
const MAX_ROWS = 200;
/** The last moment of a `Date`. */
const MAX_MS = 8.64e15;

class WrongFormError extends Error {}

type Read<T> = (value: unknown) => T;
type Form<T> = { readonly [K in keyof T]-?: Read<T[K]> };

const check =
  <T>(isValid: (value: unknown) => boolean): Read<T> =>
  value => {
    if (isValid(value)) return value as T;
    throw new WrongFormError();
  };
const flag = check<boolean>(value => typeof value === 'boolean');
const number = check<number>(
  value => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER,
);
const time = check<number>(value => typeof value === 'number' && Math.abs(value) <= MAX_MS);
const anyText = check<string>(value => typeof value === 'string');
const text: Read<string> = value => shorten(anyText(value))!;
const optional =
  <T>(read: Read<T>): Read<T | undefined> =>
  value =>
    value === undefined ? undefined : read(value);

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.slice(0, MAX_ROWS);
  throw new WrongFormError();
}

const counts: Read<Counts> = value =>
  list(value).map(pair => {
    const [name, count] = list(pair);
    return [text(name), number(count)];
  });

function row<T>(form: Form<T>, value: unknown): T {
  if (!isRecord(value)) throw new WrongFormError();
  return Object.fromEntries(
    Object.entries<Read<unknown>>(form).map(([name, read]) => [name, read(value[name])]),
  ) as T;
}

const rows =
  <T>(form: Form<T>): Read<readonly T[]> =>
  value =>
    list(value).flatMap(each => ignoreWrong(() => [row(form, each)]) ?? []);

const SHARED: Form<SharedFigures> = {
  id: anyText,
  timeMs: time,
  minutes: rows({ startMs: time, requests: number, rejections: number, codes: counts, policies: counts }),
  clients: rows({
    agent: optional(text),
    address: optional(text),
    policy: text,
    used: number,
    limit: number,
    resetMs: time,
    isOver: flag,
  }),
  rejections: rows({
    timeMs: time,
    status: number,
    code: text,
    reason: optional(text),
    received: optional(text),
    remedy: optional(text),
    requestId: optional(text),
    agent: optional(text),
    address: optional(text),
    method: optional(text),
    path: optional(text),
  }),
  tools: rows({ tool: text, impact: optional(text), calls: number, failures: number, rejections: number }),
  audit: rows({
    timeMs: time,
    event: text as Read<never>,
    tool: optional(text),
    impact: optional(text) as Read<undefined>,
    agent: optional(text),
    address: optional(text),
    requestId: optional(text),
    outcome: optional(text) as Read<undefined>,
    status: optional(number),
    code: optional(text),
    durationMs: optional(number),
    count: optional(number),
  }),
};

/** @returns `undefined` for a text that holds no figures */
export const readSharedFigures = (shared: string): SharedFigures | undefined =>
  shared.length > MAX_TEXT ? undefined : ignoreWrong(() => row(SHARED, JSON.parse(shared)));

function ignoreWrong<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof WrongFormError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
