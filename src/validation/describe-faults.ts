/* What a client learns of an input that did not validate: where and why, and nothing of what it sent. Values end in logs and error pages of
 * whoever called, and some of them are secrets. */

/** One fault: where, and what would be right. */
export interface InputFault {
  /** Names and indexes from the top, joined by dots; `''` for the whole. */
  readonly path: string;
  readonly message: string;
}

/** More are no help, and each costs its length. */
const MAX_FAULTS = 50;
const MAX_MESSAGE_LENGTH = 300;
const MAX_PATH_LENGTH = 200;

/** A name that is not of the usual kind is somebody's text. */
const NAME = /^[\w$-]{1,64}$/;

export function pathOf(segments: readonly PropertyKey[]): string {
  const names = segments.map(segment => (NAME.test(String(segment)) ? String(segment) : '?'));
  return names.join('.').slice(0, MAX_PATH_LENGTH);
}

/**
 * A message unless it repeats the value (`$value` of class-validator, or libraries that say what they received), or a name that is
 * somebody's text.
 */
export function messageWithout(message: string, value: unknown, instead: string): string {
  return repeats(message, value) || message.length > MAX_MESSAGE_LENGTH ? instead : message;
}

export function boundFaults(faults: readonly InputFault[]): readonly InputFault[] {
  return faults.slice(0, MAX_FAULTS);
}

/** Short values are everywhere in ordinary text ("a", "1"), and tell nobody anything. */
const TELLING_LENGTH = 3;

function repeats(message: string, value: unknown): boolean {
  if (typeof value === 'object' && value !== null)
    return Object.values(value).some(inner => typeof inner !== 'object' && repeats(message, inner));
  if (value === undefined || value === null || typeof value === 'boolean') return false;
  const text = String(value);
  return text.length >= TELLING_LENGTH && message.includes(text);
}
