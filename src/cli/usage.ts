/* What the commands `check`, `doctor` and `scan` share: their arguments, and how they fail. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { logStack, logText } from '../common/log-text.js';
import type { CommandIo } from './main.js';

/** Its message is shown with the usage of the command. */
export class UsageError extends Error {}

/** Its message alone is shown: it says what to do. */
export class CommandError extends Error {}

/** @throws {UsageError} for an unknown option or argument */
export function readArgs<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** @throws {UsageError} for a value that is not allowed */
export function choose<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw new UsageError(`${option} must be one of ${allowed.join(', ')}.`);
}

/**
 * Shows why a command could not run. Of an error of the app, the stack says where.
 * @param what could not be done
 * @returns the exit code
 */
export function showFailure(error: unknown, io: CommandIo, usage: string, what: string): 2 {
  if (error instanceof UsageError) io.err(`${logText(error.message)}\n\n${usage}`);
  else if (error instanceof CommandError) io.err(`${logText(error.message)}\n`);
  else io.err(`${what} ${error instanceof Error ? logStack(error) : logText(error)}\n`);
  return 2;
}
