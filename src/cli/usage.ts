/* What the commands `check`, `doctor` and `scan` share: wrong usage. */

export class UsageError extends Error {}

/** @throws {UsageError} for a value that is not allowed */
export function choose<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw new UsageError(`${option} must be one of ${allowed.join(', ')}.`);
}
