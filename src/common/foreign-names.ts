/* Options under the names that other libraries give them: the error says what to write here. */
import { looksSecret, SECRET_NAME, showName } from './show-value.js';

/** @param options the received object */
type Remedy = (value: unknown, options: Readonly<Record<string, unknown>>) => string;

/** What to write in place of an unknown key, by the key: a sentence, or one that is made of the received value. */
export type ForeignNames = Readonly<Record<string, string | Remedy>>;

/** The remedy for an unknown key that another library has; `undefined` for any other. */
export function foreignRemedy(
  names: ForeignNames,
  key: string,
  options: Readonly<Record<string, unknown>>,
): string | undefined {
  const remedy = Object.hasOwn(names, key) ? names[key] : undefined;
  return typeof remedy === 'function' ? remedy(options[key], options) : remedy;
}

/** The same value under the name that it has here. */
export const renamed =
  (name: string): ((value: unknown) => string) =>
  value =>
    `Write ${name}: ${literal(value)}.`;

/** A value as JavaScript; `…` for what is long, what is no plain value, and what may be a secret. */
export function literal(value: unknown, depth = 2): string {
  if (typeof value === 'string') return looksSecret(value) ? '…' : quoted(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const isList = Array.isArray(value);
  if (depth === 0 || typeof value !== 'object' || value === null) return '…';
  if (!isList && Object.getPrototypeOf(value) !== Object.prototype) return '…';
  const entries = Object.entries(value);
  const shown = entries.slice(0, MAX_ENTRIES).map(([key, item]) => {
    const text = SECRET_NAME.test(key) ? '…' : literal(item, depth - 1);
    return isList ? text : `${/^[a-z_$][\w$]*$/i.test(key) ? showName(key) : quoted(showName(key))}: ${text}`;
  });
  if (entries.length > MAX_ENTRIES) shown.push('…');
  if (isList) return `[${shown.join(', ')}]`;
  return shown.length === 0 ? '{}' : `{ ${shown.join(', ')} }`;
}

const MAX_ENTRIES = 6;
const MAX_LENGTH = 120;

const quoted = (text: string): string => JSON.stringify(text.slice(0, MAX_LENGTH));
