/* Durations in options: "15 minutes", "30s". */
import { receivedError } from './read-options.js';
import { readTimeUnit, UNIT_MS } from './time-unit.js';

/**
 * Reads a duration with a unit, in milliseconds. A bare number is rejected, since it may mean seconds or milliseconds.
 * @throws AgentSecurityConfigError for a value that is no duration, or outside the range
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

/** The longest delay of Node's timers. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Reads the delay of a timer, in milliseconds: a number, or a duration with a unit.
 * @throws AgentSecurityConfigError for a value that is neither, or longer than a timer can wait
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

function parseDuration(text: string): number | undefined {
  const [, count, name] = /^(\d{1,12}) ?([a-z]+)$/i.exec(text.trim()) ?? [];
  if (name === undefined) return undefined;
  if (name.toLowerCase() === 'ms') return Number(count);
  const unit = readTimeUnit(name);
  return unit && Number(count) * UNIT_MS[unit];
}
