/* Lists every option with its value and the place that it comes from: the options of the module, an environment variable or the default. */
import type { Feature } from '../common/feature.js';
import { observeTables } from '../common/option-table.js';
import { isRecord, type ReadEnvironment } from '../common/read-options.js';
import { show } from '../common/show-value.js';
import type { OptionRow } from './finding.js';

/** The options that variables set. The reference lists the same. */
export const VARIABLES: ReadonlyMap<string, string> = new Map([
  ['hosts.allow', 'ALLOWED_HOSTS'],
  ['cors.origins', 'CORS_ORIGINS'],
  ['cors.credentials', 'CORS_CREDENTIALS'],
  ['cors.maxAge', 'CORS_MAX_AGE'],
  ['rateLimit.limits', 'RATE_LIMIT'],
  ['rateLimit.store', 'REDIS_URL'],
  ['trustProxy', 'TRUST_PROXY'],
  ['auth.apiKeys.file', 'AUTH_KEYS_FILE'],
  ['auth.apiKeys.book', 'AUTH_API_KEYS'],
  ['auth.apiKeys.secret', 'AUTH_KEY_SECRET'],
  ['audit.file', 'AUDIT_FILE'],
  ['audit.key', 'AUDIT_KEY'],
]);

/** Resolves the options again, and notes what the tables of options read. */
export function describeOptions(
  features: readonly Feature<string, unknown>[],
  input: Readonly<Record<string, unknown>>,
  env: ReadEnvironment,
): readonly OptionRow[] {
  const earlier: Record<string, unknown> = {};
  return features.flatMap(({ key, resolve }) => {
    const read = new Map<string, unknown>();
    const observe = (option: string, value: unknown): void => {
      if (isShown(key, option, input)) read.set(option, value);
    };
    earlier[key] = observeTables(observe, () => resolve(input[key], env, earlier));
    // `false`, a list or a text stands for the whole.
    if (read.size === 0 || givenAt(input, key) !== undefined) read.set(key, earlier[key]);
    return [...read].map(([option, value]) => toRow(option, value, input, env)).toSorted(byOption);
  });
}

/** The options of a feature, and what is below them where the app or a variable gives it. What readers make of a default is not shown. */
function isShown(key: string, option: string, input: Readonly<Record<string, unknown>>): boolean {
  if (!option.startsWith(`${key}.`) || option.includes('[')) return false;
  const parent = option.slice(0, option.lastIndexOf('.'));
  return parent === key || VARIABLES.has(option) || isRecord(valueAt(input, parent));
}

const byOption = (a: OptionRow, b: OptionRow): number => (a.option < b.option ? -1 : 1);

const valueAt = (input: unknown, option: string): unknown =>
  option.split('.').reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), input);

/** What the app has written, unless it is an object whose members have rows of their own. */
function givenAt(input: unknown, option: string): unknown {
  const value = valueAt(input, option);
  const isPlain = isRecord(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value) as null);
  return isPlain ? undefined : value;
}

function toRow(option: string, resolved: unknown, input: unknown, env: ReadEnvironment): OptionRow {
  const given = valueAt(input, option);
  if (given !== undefined) return { option, value: show(given, option), source: 'option' };
  const name = VARIABLES.get(option);
  const text = name === undefined ? undefined : env(name)?.trim();
  if (name !== undefined && text)
    return { option, value: show(text, SECRET_VARIABLE.test(name) ? 'secret' : ''), source: name };
  return { option, value: showDefault(resolved), source: 'default' };
}

const SECRET_VARIABLE = /SECRET|_KEYS?$/;

/** Of what readers make of an option, what a line can show. No default is a secret. */
function showDefault(value: unknown): string {
  if (value instanceof Set) return show([...(value as Set<unknown>)]);
  if (isRecord(value)) return typeof value['text'] === 'string' ? show(value['text']) : '-';
  return value === undefined ? '-' : show(value);
}
