import { AgentSecurityConfigError } from './config-error.js';
import { show } from './read-options.js';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** The longest that a timer of Node's can wait. */
const MAX_MS = 2 ** 31 - 1;

/** Milliseconds: a number of them, or text such as `'500ms'`, `'30s'`, `'5min'`, `'1h'`. */
export function readDurationMs(option: string, value: unknown): number {
  const match = typeof value === 'string' ? /^(\d{1,10}) ?(ms|s|min|h)$/.exec(value) : null;
  const ms = match ? Number(match[1]) * UNITS[match[2]!]! : value;
  if (typeof ms !== 'number' || (typeof value === 'string' && !match)) {
    throw new AgentSecurityConfigError(
      'ASEC_OPTION_TYPE',
      option,
      `must be a time, received ${show(value)}`,
      'Write for example "500ms", "30s", "5min", "1h" or a number of milliseconds.',
      value,
    );
  }
  if (Number.isInteger(ms) && ms >= 1 && ms <= MAX_MS) return ms;
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_RANGE',
    option,
    `must be from 1 ms to ${MAX_MS} ms, received ${show(value)}`,
    'Choose a time in that range, or false for none.',
    value,
  );
}
