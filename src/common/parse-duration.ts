/* Parses durations, such as "15 minutes" and "30s". */

export const UNIT_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

type TimeUnit = keyof typeof UNIT_MS;

/** Units by the names that limits and durations are written with. `m` is none of them: it could be a minute or a month. */
export const TIME_UNITS: ReadonlyMap<string, TimeUnit> = new Map(
  Object.entries({ second: 's', minute: 'min', hour: 'h', day: 'd' } as const).flatMap(([unit, short]) =>
    [short, unit, `${unit}s`].map(name => [name, unit as TimeUnit] as const),
  ),
);

/** Parses a duration, in milliseconds; `undefined` for invalid text. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12}) ?([a-z]+)$/i.exec(text.trim());
  if (match === null) return undefined;
  const name = match[2]!.toLowerCase();
  const unit = TIME_UNITS.get(name);
  if (unit === undefined && name !== 'ms') return undefined;
  return Number(match[1]) * (unit === undefined ? 1 : UNIT_MS[unit]);
}
