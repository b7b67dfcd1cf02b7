/* Shows a received value in errors and logs. A value that may be a secret is described and never printed. */
import { inspect } from 'node:util';

/** Names of options whose value is never shown. */
export const SECRET_NAME = /secret|passw|passphrase|token|key|credential|pepper|private/i;

/** PEM, a user's name and password in a URL, an assignment to a secret name, or an Authorization header. */
const SECRET_FORMS = [
  /-----BEGIN|\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-/i,
  /:[^\s:@/]{1,1024}@|\b(?:bearer|basic|dpop)\s/i,
  /(?:passw(?:or)?d|pwd|passphrase|secret|token|api[-_]?key|credential)["']?\s{0,8}[=:]/i,
];

/** A longer text is probably a certificate or a key. */
const MAX_LENGTH = 1024;

/** Whether a text may be a secret: by its form, or by a long run of letters and digits, as in random text. */
export function looksSecret(text: string): boolean {
  if (text.length > MAX_LENGTH || SECRET_FORMS.some(form => form.test(text))) return true;
  return (text.match(/[a-z0-9+=]{20,}/gi) ?? []).some(
    run => run.length >= 40 || (/\d/.test(run) && /[a-z]/i.test(run)),
  );
}

/**
 * Shows a value: `NaN` as `NaN`, long lists cut, objects by their type.
 * @param name the option of the value: `auth.apiKeys.secret`
 */
export function show(value: unknown, name = ''): string {
  const isHidden = SECRET_NAME.test(leafOf(name));
  if (typeof value === 'string') return showText(value, isHidden);
  if (Array.isArray(value)) {
    if (isHidden && value.length > 0) return `a list of ${value.length}`;
    const shown = value.slice(0, 5).map(item => (Array.isArray(item) ? 'a list' : show(item)));
    return `[ ${[...shown, ...(value.length > 5 ? ['…'] : [])].join(', ')} ]`.replace('[  ]', '[]');
  }
  if (typeof value === 'function') return `[Function: ${showName(value.name)}]`;
  if (value instanceof RegExp) return isHidden ? '[RegExp]' : showText(String(value), false).slice(1, -1);
  if (typeof value === 'object' && value !== null) return showObject(value);
  return typeof value === 'symbol' ? 'a symbol' : inspect(value);
}

/** Shows a name from outside, such as an unknown option. */
export function showName(name: string): string {
  return looksSecret(name) ? '(a name that is not shown)' : inspect(name.slice(0, 200)).slice(1, -1);
}

function showText(text: string, isHidden: boolean): string {
  if (text !== '' && (isHidden || looksSecret(text)))
    return `a text of ${text.length} characters (not shown, since it may be a secret)`;
  return `"${inspect(text, { maxStringLength: 120 }).slice(1, -1)}"`;
}

function showObject(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null)
    return Object.keys(value).length === 0 ? '{}' : 'an object';
  const type: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof type === 'string' && type !== '' ? `an object of ${showName(type)}` : 'an object';
}

/** `secrets` of `mcp.proxyProof.secrets[0]`. */
const leafOf = (name: string): string => {
  const last = name.slice(name.lastIndexOf('.') + 1);
  const bracket = last.indexOf('[');
  return bracket === -1 ? last : last.slice(0, bracket);
};
