/* The units of time that options take, with the spellings that users of rate limiters write. */

export const UNIT_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

export type TimeUnit = keyof typeof UNIT_MS;

const SPELLINGS: ReadonlyMap<string, TimeUnit> = new Map([
  ['s', 'second'],
  ['min', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ...(Object.keys(UNIT_MS) as TimeUnit[]).flatMap((unit): [string, TimeUnit][] => [
    [unit, unit],
    [`${unit}s`, unit],
  ]),
]);

/** Reads `s`, `second`, `seconds` and so on, in any case. `m` is none: it may be a minute or a month. */
export const readTimeUnit = (text: string): TimeUnit | undefined => SPELLINGS.get(text.toLowerCase());
