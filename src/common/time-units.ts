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
