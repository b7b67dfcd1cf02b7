/* Spans of time in options: "15 minutes", "30s". */
import { receivedError } from './read-options.js';
import { readTimeUnit, UNIT_MS } from './time-unit.js';

/**
 * A span as text, in milliseconds. A bare number is refused: some read it as seconds, some as milliseconds.
 * @throws AgentSecurityConfigError for what is no span, or is outside the range
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
      'must be a span of time',
      'Write for example "15 minutes" or "30s"; units are ms, s, min, h, d or their names.',
      value,
    );
  }
  if (ms < parseDuration(range.min)! || ms > parseDuration(range.max)!) {
    throw receivedError(
      'ASEC_OPTION_RANGE',
      option,
      `must be from ${range.min} to ${range.max}`,
      'Choose a span in that range.',
      value,
    );
  }
  return ms;
}

/** The longest that a timer of Node's can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * What a timer is to wait, in milliseconds: a number of them, or a span as text.
 * @throws AgentSecurityConfigError for what is neither, or longer than a timer can wait
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
