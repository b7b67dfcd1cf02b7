import { readInteger, receivedError } from './read-options.js';

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Reads a size in bytes: a number, or text such as `'512kb'` and `'10mb'` (1 kb is 1024 bytes). */
export function readBytes(option: string, value: unknown, fallback: number): number {
  if (typeof value !== 'string')
    return readInteger(option, value, fallback, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const match = /^(\d{1,12}) ?(b|kb|mb|gb)$/i.exec(value);
  if (match) return Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a number of bytes or a size',
    'Write for example "512kb" or "10mb".',
    value,
  );
}
