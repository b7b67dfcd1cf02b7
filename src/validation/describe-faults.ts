/* Describes invalid input: where and why, without the values. Values in errors reach logs and error pages, and some of them are secrets. */
import type { ProblemFields } from '../common/problem.js';

/**
 * A fault of invalid input, in `errors` of a `validation_failed` problem.
 * @example
 * const fault: InputFault = { path: 'items.0.amount', message: 'must be a positive number' };
 */
export interface InputFault {
  /** Names and indexes from the root, joined by dots; `''` for the whole input. */
  readonly path: string;
  readonly message: string;
}

/** The most faults in one response. */
const MAX_FAULTS = 50;
const MAX_MESSAGE_LENGTH = 300;
const MAX_PATH_LENGTH = 200;
/** Shorter values ("a", "1") occur in any text. */
const MIN_REPEATED_LENGTH = 3;

/** Other names are text of the client, and are replaced. */
const NAME = /^[\w$-]{1,64}$/;

export const validationProblem = (faults: readonly InputFault[]): ProblemFields => ({
  status: 400,
  code: 'validation_failed',
  detail: 'The request is not valid',
  members: { errors: faults.slice(0, MAX_FAULTS) },
});

export function pathOf(segments: readonly PropertyKey[]): string {
  const names = segments.map(segment => (NAME.test(String(segment)) ? String(segment) : '?'));
  return names.join('.').slice(0, MAX_PATH_LENGTH);
}

/**
 * Returns the message, or `instead` if the message repeats the value (`$value` of class-validator, or libraries that
 * print what they received) or is too long.
 */
export function messageWithout(message: string, value: unknown, instead: string): string {
  return message.length > MAX_MESSAGE_LENGTH || repeats(message, value) ? instead : message;
}

function repeats(message: string, value: unknown): boolean {
  if (typeof value === 'object' && value !== null)
    return Object.values(value).some(inner => typeof inner !== 'object' && repeats(message, inner));
  if (value === undefined || value === null || typeof value === 'boolean') return false;
  const text = String(value);
  return text.length >= MIN_REPEATED_LENGTH && message.includes(text);
}
