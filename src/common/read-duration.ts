/* Durations in options: "15 minutes", "30s". */
import { receivedError } from './read-options.js';

/**
 * Reads a duration, in milliseconds. A number without a unit is rejected, because it could be seconds or milliseconds.
 * @throws AgentSecurityConfigError for an invalid duration, or one outside the range
 */
export function readDuration(
  option: string,
  value: unknown,
  fallback: string,
  range: { readonly min: string; readonly max: string },
): number {
  const text = value === undefined ? fallback : value;
  const ms = typeof text === 'string' ? parseDuration(text) : undefined;
  if (ms === undefined) {
    throw receivedError(
      'ASEC_OPTION_TYPE',
      option,
      'must be a duration',
      'Write for example "15 minutes" or "30s"; units are ms, s, min, h, d or their names.',
      value,
    );
  }
  if (ms < parseDuration(range.min)! || ms > parseDuration(range.max)!) {
    throw receivedError(
      'ASEC_OPTION_RANGE',
      option,
      `must be from ${range.min} to ${range.max}`,
      'Choose a duration in that range.',
      value,
    );
  }
  return ms;
}

/** The longest delay of a Node timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Reads the delay of a timer, in milliseconds: a number, or a duration as text.
 * @throws AgentSecurityConfigError for anything else, or a delay that is longer than a timer's maximum
 */
export function readTimerMs(option: string, value: unknown): number {
  const ms = typeof value === 'string' ? parseDuration(value) : value;
  if (typeof ms !== 'number') {
    throw receivedError(
      'ASEC_OPTION_TYPE',
      option,
      'must be a time',
      'Write for example "500ms", "30s", "5min", "1h" or a number of milliseconds.',
      value,
    );
  }
  if (Number.isInteger(ms) && ms >= 1 && ms <= MAX_TIMER_MS) return ms;
  throw receivedError(
    'ASEC_OPTION_RANGE',
    option,
    `must be from 1 ms to ${MAX_TIMER_MS} ms`,
    'Choose a time in that range, or false for none.',
    value,
  );
}

/** Parses a duration, in milliseconds; `undefined` for invalid text. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12}) ?([a-z]+)$/i.exec(text.trim());
  if (match === null) return undefined;
  const name = match[2]!.toLowerCase();
  const unit = TIME_UNITS.get(name);
  if (unit === undefined && name !== 'ms') return undefined;
  return Number(match[1]) * (unit === undefined ? 1 : UNIT_MS[unit]);
}

/* Units of time, by the names that limits and durations are written with. `m` is none of them: it could be a minute or a month. */

export const UNIT_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

export type TimeUnit = keyof typeof UNIT_MS;

export const TIME_UNITS: ReadonlyMap<string, TimeUnit> = new Map([
  ['s', 'second'],
  ['second', 'second'],
  ['seconds', 'second'],
  ['min', 'minute'],
  ['minute', 'minute'],
  ['minutes', 'minute'],
  ['h', 'hour'],
  ['hour', 'hour'],
  ['hours', 'hour'],
  ['d', 'day'],
  ['day', 'day'],
  ['days', 'day'],
]);
