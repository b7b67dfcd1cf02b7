/* What the commands `check`, `doctor` and `scan` share: wrong usage. */

/** Its message is shown with the usage of the command. */
export class UsageError extends Error {}

/** Its message alone is shown: it says what to do. */
export class CommandError extends Error {}

/** @throws {UsageError} for a value that is not allowed */
export function choose<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw new UsageError(`${option} must be one of ${allowed.join(', ')}.`);
}
